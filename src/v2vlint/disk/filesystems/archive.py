"""tar archives as a filesystem: a single one, or the layers of a container image merged. Read in place; compressed ones are held in
memory.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import field
from typing import Any, BinaryIO, Self

from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.stream import Slice, Stream
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import ImageError

MAX_ENTRIES = 1_000_000
MAX_DEPTH = 64
MAX_KEPT = 768 << 20
"""Bytes of files in packed archives that are kept in memory."""
MAX_KEPT_FILE = 256 << 20
_BLOCK = 1 << 20
# What tarfile and the decompressors raise on damaged bytes.
_DAMAGED = (tarfile.TarError, EOFError, lzma.LZMAError, zlib.error, ValueError, OverflowError, OSError, RecursionError)
# What zstd(1) accepts unless told otherwise (--long=27).
_WINDOW = 128 << 20
MAX_LINKS = 40
"""As the kernel follows (path_resolution(7))."""
MAX_PATH = 4096
"""Characters of all links on the way together; the kernel has it for each (PATH_MAX)."""
_ENDING = "v2vlint_ending"
_REST = 64 << 20
"""Bytes after the end of a packed archive that are read for its checksum: a tape record has 10 KiB."""
_OTHERS = {
    b"\x04\x22\x4d\x18": "lz4's compression", b"LZIP": "lzip's compression", b"\x89LZO": "lzop's compression",
    b"\x1f\x9d": "compress's compression", b"PK\x03\x04": "a ZIP archive", b"7z\xbc\xaf": "a 7-Zip archive",
    b"0707": "a cpio archive", b"hsqs": "a squashfs image", b"!<arch>": "an ar archive",
}  # fmt: skip
"""First bytes of what may be taken for a tar archive."""
_New = set[tuple[int, str]]
"""What a layer has brought: the folder's identity and the name."""
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(slots=True)
class ArchiveEntry:
    """An inode: its Stat, the target of a link, a function that opens a file, the entries of a folder."""

    stat: Stat
    target: str = ""
    content: Callable[[], BinaryIO] | None = None
    children: dict[str, ArchiveEntry] = field(default_factory=dict)


class EntryNode:
    """See :class:`~v2vlint.disk.filesystems.node.Node`."""

    def __init__(self, entry: ArchiveEntry) -> None:
        self._entry = entry

    def stat(self) -> Stat:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._entry.stat

    def names(self) -> Iterator[str]:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return iter(self._entry.children)

    def child(self, name: str) -> EntryNode | None:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        found = self._entry.children.get(name)
        return None if found is None else EntryNode(found)

    def link(self) -> str:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        return self._entry.target

    def open(self) -> BinaryIO:
        """See :class:`~v2vlint.disk.filesystems.node.Node`."""
        if self._entry.content is None:
            raise ImageError("not a file")
        return self._entry.content()


class _Member(tarfile.TarInfo):
    """A member, which notes in its archive how that ended."""

    @classmethod
    def fromtarfile(cls, tarfile: Any) -> Self:
        """See :class:`tarfile.TarInfo`."""
        try:
            return super().fromtarfile(tarfile)
        except Exception as error:
            setattr(tarfile, _ENDING, error)
            raise


class ArchiveFileSystem:
    """The content of several archives, later ones over earlier ones. With ``layers``, names that start with ``.wh.`` delete. ImageError
    when one is damaged.
    """

    def __init__(self, *, layers: bool = False) -> None:
        self.type, self.uuid, self.label, self.stale = "", "", "", ""
        self._layers = layers
        self._top = _folder()
        self._entries = self._kept = 0

    @property
    def root(self) -> EntryNode:
        """See :class:`~v2vlint.disk.filesystems.node.FileSystem`."""
        return EntryNode(self._top)

    def add(self, name: str, base: Stream) -> None:
        """Add the archive ``base`` on top of what is there. ``name`` is its name in messages."""
        packed = unpacked(base)
        new = _New()
        try:
            # The archive stays open: its files are read later.
            # Packed ones are read once, forwards ("r|"), because seeking back would unpack everything again.
            mode: Any = "r:" if packed is None else "r|"
            archive = tarfile.open(fileobj=packed or base, mode=mode, errors="surrogateescape", tarinfo=_Member)  # noqa: SIM115
            for member in archive:
                self._entries += 1
                if self._entries > MAX_ENTRIES:
                    raise ImageError(f"{name}: more than {MAX_ENTRIES} files in it")
                # Its data would lie before it, and the archive would never end.
                if member.size < 0:
                    raise ImageError(f"{name}: damaged (a member with a negative size)")
                self._lay(archive, member, new, kept=packed is not None)
            self._ended(archive)
            if packed is not None:
                _read_on(packed)
        except _DAMAGED as error:
            if kind := next((kind for magic, kind in _OTHERS.items() if base.read_at(0, 8).startswith(magic)), ""):
                raise ImageError(f"{name}: {kind} is not read", hint="unpack it, and check the folder: tree:FOLDER") from error
            reason = error if base.size else "the file is empty"
            raise ImageError(f"{name}: not a tar archive that can be read: {reason}") from error

    def _ended(self, archive: tarfile.TarFile) -> None:
        """tarfile.TarError when the archive is cut short or damaged in the middle: tarfile takes that for its end, as long as there was one
        member. Layers have digests, and some programs do not write their ends.
        """
        ending = getattr(archive, _ENDING, None)
        # tarfile exports only their base class.
        kind = type(ending).__name__
        if kind in ("TruncatedHeaderError", "InvalidHeaderError"):
            raise tarfile.ReadError(f"it is cut short or damaged after {self._entries} members ({ending})")
        if kind == "EmptyHeaderError" and not self._layers:
            raise tarfile.ReadError(f"it has no end mark after {self._entries} members, and so is cut short")

    def _lay(self, archive: tarfile.TarFile, member: tarfile.TarInfo, new: _New, *, kept: bool) -> None:
        parts = [part for part in member.name.split("/") if part not in ("", ".")]
        # A name that leads out of the tree, or deeper than anything real.
        if ".." in parts or len(parts) > MAX_DEPTH:
            return
        if not parts:
            self._top.stat = _stat(member, Kind.DIR)
            return
        hides = self._layers and parts[-1].startswith(_WHITEOUT)
        parent = self._parent(parts[:-1], new, used=self._layers and not hides)
        if hides:
            self._take_away(parent, parts[-1], new)
            return
        entry = self._entry(archive, member, kept=kept)
        before = parent.children.get(parts[-1])
        # Folders of several layers are merged; anything else replaces what was there.
        if before is not None and entry.stat.kind is before.stat.kind is Kind.DIR:
            before.stat = entry.stat
        else:
            parent.children[parts[-1]] = entry
        new.add((id(parent), parts[-1]))

    def _parent(self, folders: list[str], new: _New, *, used: bool) -> ArchiveEntry:
        """The folder with these names, created when no archive has it. Links lead on (``lib`` → ``usr/lib``), as where the archive
        is unpacked; anything else of that name is replaced. ``used``: the layer has something there, so that its folders are the layer's.
        """
        here = self._top
        for at, name in enumerate(folders):
            found = here.children.get(name)
            if found is not None and found.stat.kind is Kind.LINK:
                found = self._followed(folders[:at], found.target)
            if found is None or found.stat.kind is not Kind.DIR:
                found, used = _folder(), True
                here.children[name] = found
            if used:
                new.add((id(here), name))
            here = found
        return here

    def _followed(self, folder: list[str], target: str) -> ArchiveEntry | None:
        """Where a link in ``folder`` leads; nothing is above the top. None when that is nowhere."""
        left, passed, links, length = [*reversed(target.split("/"))], [] if target.startswith("/") else list(folder), 1, len(target)
        while left and length <= MAX_PATH:
            name = left.pop()
            if name == "..":
                passed = passed[:-1]
            elif name not in ("", "."):
                found = self._found("/".join((*passed, name)))
                if found is None:
                    return None
                if found.stat.kind is not Kind.LINK:
                    passed.append(name)
                    continue
                if (links := links + 1) > MAX_LINKS:
                    return None
                passed = [] if found.target.startswith("/") else passed
                length += len(found.target)
                left += reversed(found.target.split("/")) if length <= MAX_PATH else ()
        return self._found("/".join(passed)) if length <= MAX_PATH else None

    @staticmethod
    def _take_away(parent: ArchiveEntry, name: str, new: _New) -> None:
        """Apply a whiteout, which hides only what lower layers contain, wherever in its layer it is."""
        if name == _OPAQUE:
            _hide(parent, new)
            return
        hidden = name.removeprefix(_WHITEOUT)
        if (id(parent), hidden) not in new:
            parent.children.pop(hidden, None)
        elif hidden in parent.children:
            _hide(parent.children[hidden], new)

    def _entry(self, archive: tarfile.TarFile, member: tarfile.TarInfo, *, kept: bool) -> ArchiveEntry:
        if member.islnk():
            folder, _, name = member.linkname.rstrip("/").rpartition("/")
            beside = self._followed([], folder)
            target = beside.children.get(name) if beside is not None else None
            # No filesystem has hard links to folders, and one to a folder above would have no end.
            return target if target is not None and target.stat.kind is not Kind.DIR else ArchiveEntry(_stat(member, Kind.OTHER))
        if member.issym():
            return ArchiveEntry(_stat(member, Kind.LINK), member.linkname)
        if member.isdir():
            return ArchiveEntry(_stat(member, Kind.DIR))
        if not member.isreg():
            return ArchiveEntry(_stat(member, Kind.OTHER))
        return ArchiveEntry(_stat(member, Kind.FILE), content=self._content(archive, member, kept=kept))

    def _found(self, path: str) -> ArchiveEntry | None:
        here: ArchiveEntry | None = self._top
        for part in path.split("/"):
            if part not in ("", ".") and here is not None:
                here = here.children.get(part)
        return here

    def _content(self, archive: tarfile.TarFile, member: tarfile.TarInfo, *, kept: bool) -> Callable[[], BinaryIO]:
        if not kept:
            return lambda: _opened(archive, member)
        if member.size > MAX_KEPT_FILE or self._kept + member.size > MAX_KEPT:
            return _too_large
        self._kept += member.size
        data = _opened(archive, member).read()
        return lambda: io.BytesIO(data)


def _read_on(packed: BinaryIO) -> None:
    """Read what comes after the end, for the sake of its checksum: what the decompressor raises."""
    for _part in range(_REST // _BLOCK):
        if not packed.read(_BLOCK):
            return


def _hide(folder: ArchiveEntry, new: _New) -> None:
    """Take away what lower layers have in a folder. After that, nothing of theirs can be there."""
    if (id(folder), _OPAQUE) in new:
        return
    new.add((id(folder), _OPAQUE))
    for name, entry in list(folder.children.items()):
        if (id(folder), name) not in new:
            del folder.children[name]
        elif entry.stat.kind is Kind.DIR:
            _hide(entry, new)


def _opened(archive: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    stream: Any = archive.extractfile(member)
    assert stream is not None
    found: BinaryIO = stream
    return found


def _too_large() -> BinaryIO:
    raise ImageError("too large to be kept of a packed archive: unpack it first")


def _folder() -> ArchiveEntry:
    return ArchiveEntry(Stat(Kind.DIR, 0, 0o755))


def _stat(member: tarfile.TarInfo, kind: Kind) -> Stat:
    return Stat(kind, member.size, stat.S_IMODE(member.mode), member.uid, member.gid, float(member.mtime))


def unpacked(base: Stream) -> BinaryIO | None:
    """The plain content of a compressed archive, to be read once from start to end; None when it is not compressed."""
    # A decompressor closes its input when it is garbage-collected: give it a view of the base.
    head, packed = base.read_at(0, 6), io.BufferedReader(Slice(base, 0, base.size), _BLOCK)
    found: Any = None
    if head.startswith(b"\x1f\x8b\x08"):
        found = gzip.GzipFile(fileobj=packed)
    elif head.startswith(b"\xfd7zXZ\0"):
        found = lzma.LZMAFile(packed)  # noqa: SIM115
    elif head.startswith(b"BZh"):
        found = bz2.BZ2File(packed)
    elif head.startswith(b"\x28\xb5\x2f\xfd"):
        import zstandard

        # What several threads have packed (pzstd) consists of several frames.
        found = zstandard.ZstdDecompressor(max_window_size=_WINDOW).stream_reader(packed, read_across_frames=True)
    plain: BinaryIO | None = found
    return plain
