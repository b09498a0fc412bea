"""Turns chosen fixes into operations on bytes, for ``guestfs_worker``, and into the diff that shows them."""

from __future__ import annotations

import base64
import hashlib
import posixpath
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from v2vlint.engine.room import PathAndSize, lack_of_room
from v2vlint.facts.environment.selinux import parse_selinux_config
from v2vlint.facts.initramfs.content import NESTED, Initramfs
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.fixing.orders import Appending, Commanding, Copying, Creating, Deleting, Operation, Overwriting
from v2vlint.fixing.protocol import GENERATORS
from v2vlint.fixing.renew import Changes, renewals
from v2vlint.fixing.segment import KnownImage, frames, pad4, segment
from v2vlint.fixing.windows import is_windows, need_settled, registry_operations
from v2vlint.guest.closed import Closed
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import AppendInitramfs, CopyFile, Edit, Fix, Rebuild, ReplaceText, WriteData, WriteFile
from v2vlint.model.place import WholeFile
from v2vlint.model.rewrite import StaleEdit, registry_changes, rewrite, unified


@dataclass(frozen=True, slots=True)
class RootWork:
    """The operations for one root, the fixes they come from, those refused with the reason, and the unified diff.

    ``selinux`` is the path of the guest's file_contexts when it uses SELinux; ``written`` is the number of bytes of new content;
    ``windows`` says whether the root is one of Windows.
    """

    operations: tuple[Operation, ...] = ()
    taken: tuple[Fix, ...] = ()
    refused: tuple[tuple[Fix, str], ...] = ()
    diff: str = ""
    selinux: str = ""
    written: int = 0
    windows: bool = False


@dataclass(slots=True)
class _Draft:
    fs: GuestFS
    blocks: BlockTable
    rebuild: bool
    writes: list[PathAndSize] = field(default_factory=list)
    images: Initramfses = field(init=False)

    def __post_init__(self) -> None:
        self.images = Initramfses(self.fs)


def _place(fs: GuestFS, path: str) -> str:
    """The place of a file to create or delete: its path with all links resolved, except for the last name."""
    folder, name = posixpath.split(path)
    if folder == path:
        return path
    real = fs.resolve(folder)
    return posixpath.join(_place(fs, folder) if real is None else real, name)


def build(fs: GuestFS, blocks: BlockTable, fixes: Sequence[Fix], *, rebuild: bool = False) -> RootWork:
    """Turn fixes into operations. A fix that cannot be carried out completely is refused with the reason; the others proceed."""
    draft = _Draft(fs, blocks, rebuild)
    taken: list[Fix] = []
    refused: list[tuple[Fix, str]] = []
    held: list[PathAndSize] = []
    names: dict[str, str] = {}
    # Each alone at first: one that cannot be carried out must not take the others with it.
    for fix in fixes:
        try:
            own = _one_name(fs, fix.edits, names)
            _operations(draft, fix.edits)
            alone = tuple(draft.writes)
            if lack_of_room(fs, blocks, (*held, *alone)):
                # Together they may need less: what two of them append to one image is appended once.
                _operations(draft, _edits(*taken, fix))
        except (FactUnavailable, StaleEdit) as reason:
            refused.append((fix, str(reason)))
        else:
            taken.append(fix)
            held.extend(alone)
            names.update(own)
    edits = _edits(*taken)
    if not edits:
        return RootWork(refused=tuple(refused))
    operations, changes = _operations(draft, edits)
    written = sum(map(_size, operations))
    diff = _diff(changes, operations)
    return RootWork(operations, tuple(taken), tuple(refused), diff, selinux_specification(fs), written, is_windows(fs))


def _one_name(fs: GuestFS, edits: Iterable[Edit], names: Mapping[str, str]) -> dict[str, str]:
    """``names`` (by the file that each leads to) and those of the files that ``edits`` change. FactUnavailable for a second name of one:
    what is written under the one is not what is expected under the other.
    """
    found = dict(names)
    for edit in edits:
        if isinstance(edit, ReplaceText):
            path = edit.where.path
            if found.setdefault(fs.resolve(path) or path, path) != path:
                raise FactUnavailable(WholeFile(path), "is a second name of a file that is changed already")
    return found


def _edits(*fixes: Fix) -> tuple[Edit, ...]:
    return tuple(dict.fromkeys(edit for fix in fixes for edit in fix.edits))


def _size(operation: Operation) -> int:
    """The number of bytes of new content."""
    new = operation["data"] if operation["op"] in ("overwrite", "create", "append") else ""
    return len(new) * 3 // 4


def _operations(draft: _Draft, edits: Iterable[Edit]) -> tuple[tuple[Operation, ...], Changes]:
    edits = tuple(edits)
    draft.writes.clear()
    if is_windows(draft.fs):
        need_settled(draft.fs, draft.blocks)
    _need_rebuild(draft, edits)
    changes = rewrite(edits, lambda path: _text(draft.fs, path))
    modes = {edit.path: edit.mode for edit in edits if isinstance(edit, WriteFile)}
    found: list[Operation] = [_text_operation(draft.fs, path, before, after, modes) for path, (before, after) in changes.items()]
    found += [_data(draft, edit) for edit in edits if isinstance(edit, WriteData)]
    found += [_copy(draft, edit) for edit in edits if isinstance(edit, CopyFile)]
    found += registry_operations(draft.fs, edits)
    found += _initramfs(draft, edits, {} if draft.rebuild else renewals(draft.fs, draft.images, changes))
    if not found:
        raise FactUnavailable(WholeFile("/"), "changes nothing")
    return tuple(found), changes | registry_changes(edits)


def _need_rebuild(draft: _Draft, edits: Sequence[Edit]) -> None:
    """Refuse a fix that needs a rebuild, unless the guest's own generator does it or an appended segment makes it unnecessary."""
    appended = any(isinstance(edit, AppendInitramfs) for edit in edits)
    for edit in edits:
        if not isinstance(edit, Rebuild):
            continue
        if not edit.artefact.startswith("initramfs:"):
            raise FactUnavailable(WholeFile("/boot"), f"{edit.artefact} must be made again by the guest itself")
        if not (draft.rebuild or appended):
            raise FactUnavailable(WholeFile("/boot"), "needs --rebuild-initramfs")


def _text(fs: GuestFS, path: str) -> str | None:
    text = fs.text(path)
    return None if text is None else text.content


def _text_operation(
    fs: GuestFS, path: str, before: str | None, after: str | None, modes: Mapping[str, int]
) -> Overwriting | Creating | Deleting:
    if after is None:
        return {"op": "delete", "path": _place(fs, path)}
    data = after.encode("utf-8", "surrogateescape")
    if before is None:
        return {"op": "create", "path": _place(fs, path), "data": _b64(data), "mode": modes.get(path, 0o644)}
    expect = hashlib.sha256(before.encode("utf-8", "surrogateescape")).hexdigest()
    # A link stays one: what it leads to is written.
    return {"op": "overwrite", "path": fs.resolve(path) or path, "data": _b64(data), "expect": expect}


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _data(draft: _Draft, edit: WriteData) -> Overwriting | Creating:
    before = draft.fs.read(edit.path)
    digest = "" if before is None else hashlib.sha256(before).hexdigest()
    if digest != edit.expect:
        raise StaleEdit(f"{edit.path} {'is not what was checked' if edit.expect else 'exists already'}")
    _need_room(draft, edit.path, len(edit.data))
    if before is None:
        return {"op": "create", "path": _place(draft.fs, edit.path), "data": _b64(edit.data), "mode": edit.mode, "binary": True}
    return {"op": "overwrite", "path": draft.fs.resolve(edit.path) or edit.path, "data": _b64(edit.data), "expect": digest, "binary": True}


def _copy(draft: _Draft, edit: CopyFile) -> Copying:
    found = draft.fs.stat(edit.source)
    if found is None:
        raise FactUnavailable(WholeFile(edit.source), "is absent")
    if draft.fs.exists(edit.path):
        raise FactUnavailable(WholeFile(edit.path), "exists already")
    _need_room(draft, edit.path, found.size)
    return {"op": "copy", "source": draft.fs.resolve(edit.source) or edit.source, "path": _place(draft.fs, edit.path)}


def _initramfs(draft: _Draft, edits: Sequence[Edit], renewed: Mapping[str, Mapping[str, bytes]]) -> Sequence[Appending | Commanding]:
    wanted: dict[tuple[str, str], dict[str, None]] = {}
    for edit in edits:
        if isinstance(edit, AppendInitramfs):
            wanted.setdefault((edit.path, edit.version), {}).update(dict.fromkeys(edit.modules))
    if draft.rebuild:
        versions = {version for _path, version in wanted} | _rebuilt(edits)
        return [_command(draft.fs, version) for version in sorted(versions)]
    appended = [_append(draft, path, version, tuple(names), renewed.get(path, {})) for (path, version), names in wanted.items()]
    others = [path for path in renewed if path not in {path for path, _version in wanted}]
    return appended + [_append(draft, path, "", (), renewed[path]) for path in others]


def _rebuilt(edits: Sequence[Edit]) -> set[str]:
    return {e.artefact.partition(":")[2] for e in edits if isinstance(e, Rebuild) and e.artefact.startswith("initramfs:")}


def _command(fs: GuestFS, version: str) -> Commanding:
    for path, command in GENERATORS:
        if fs.exists(path):
            return {"op": "command", "path": path, "command": command.format(version=shlex.quote(version))}
    raise FactUnavailable(WholeFile("/usr/sbin"), "no initramfs generator is installed")


def _append(draft: _Draft, path: str, version: str, names: tuple[str, ...], files: Mapping[str, bytes]) -> Appending:
    image, found = draft.images.of(path), draft.fs.stat(path)
    if image is None or found is None:
        raise FactUnavailable(WholeFile(path), "is absent")
    # The kernel stops at junk: nothing behind it is read.
    if fault := image.damage or image.remark:
        raise FactUnavailable(WholeFile(path), fault)
    view = KnownImage(path, version, image.files, image.contents, image.generator, image.compression)
    data = segment(draft.fs, view, names, files)
    # The kernel looks for the next archive at multiples of 4 and skips zeros before it (init/initramfs.c, unpack_to_rootfs).
    data = _more_lz4(image, found.size, data) if image.compression == "lz4" else pad4(bytes(-found.size % 4) + data)
    _need_room(draft, path, len(data))
    renewed = sorted(files)
    return {"op": "append", "path": draft.fs.resolve(path) or path, "size": found.size, "data": _b64(data), "renewed": renewed}


def _more_lz4(image: Initramfs, size: int, data: bytes) -> bytes:
    """``data`` as another frame, which the kernel takes for the same stream: that goes on to the end of the file (``unlz4()`` of
    lib/decompress_unlz4.c).
    """
    last = [one for one in image.segments if one.compression not in NESTED][-1]
    if last.offset + last.size != size:
        raise FactUnavailable(image.where, "has bytes behind its lz4, where older kernels take what is appended for more of it")
    # Padding counts inside: between the frames, it would be taken for a block.
    return frames(bytes(-last.unpacked % 4) + data)


def _need_room(draft: _Draft, path: str, size: int) -> None:
    draft.writes.append((path, size))
    if reason := lack_of_room(draft.fs, draft.blocks, draft.writes):
        raise FactUnavailable(WholeFile(path), reason)


def selinux_specification(fs: GuestFS) -> str:
    """The guest's file_contexts when it uses SELinux, else an empty string. A locked root has none: what is written elsewhere keeps its
    label.
    """
    return "" if isinstance(fs.mounts["/"], Closed) else parse_selinux_config(fs).contexts


def _diff(changes: Changes, operations: Sequence[Operation]) -> str:
    extra: list[str] = []
    for operation in operations:
        if operation["op"] == "append":
            size = f"{_size(operation) >> 10} KiB"
            renewed = f", with the new {', '.join(operation['renewed'])}" if operation["renewed"] else ""
            extra.append(f"append {size} to {operation['path']}{renewed}\n")
        elif (operation["op"] == "create" or operation["op"] == "overwrite") and operation.get("binary"):
            extra.append(f"write {len(base64.b64decode(operation['data']))} bytes to {operation['path']}\n")
        elif operation["op"] == "copy":
            extra.append(f"copy {operation['source']} to {operation['path']}\n")
        elif operation["op"] == "command":
            extra.append(f"run {operation['command']}\n")
    return unified(changes) + "".join(extra)
