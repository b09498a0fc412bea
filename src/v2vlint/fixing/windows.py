"""Turns edits of a Windows guest into operations for ``guestfs_worker``, and checks that its volume is safe to write to."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence

from v2vlint.disk.filesystems.formats import holds_roots_of
from v2vlint.disk.hives.edit import HiveDraft
from v2vlint.fixing.orders import KeyDeleting, RegistryEditing, ValueData, ValueSetting
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable, ImageError
from v2vlint.model.fix import Edit, RegistryDeleteKey, RegistryEdit, RegistrySet
from v2vlint.model.place import WholeFile
from v2vlint.model.registry import RegistryData

HIBERNATION_FILE = "/hiberfil.sys"
_SLEEPING = (b"hibr", b"rstr")
"""What the hibernation file of a sleeping or a waking Windows begins with, in either case; the fast startup uses it too."""


def registry_operations(fs: GuestFS, edits: Iterable[Edit]) -> list[RegistryEditing]:
    """One operation per hive. FactUnavailable when a hive cannot be edited, StaleEdit when it is not in the state that an edit expects."""
    hives: dict[str, tuple[str, list[RegistryEdit]]] = {}
    # Several fixes may make the same edit.
    for edit in dict.fromkeys(edits):
        if isinstance(edit, RegistrySet | RegistryDeleteKey):
            hives.setdefault(edit.hive.lower(), (edit.hive, []))[1].append(edit)
    return [_hive(fs, path, found) for path, found in hives.values()]


def _hive(fs: GuestFS, path: str, edits: Sequence[RegistryEdit]) -> RegistryEditing:
    try:
        hive = open_hive(fs, path)
        if not hive.clean:
            reason = "was not written out by Windows, its last changes are in its log files: start Windows and shut it down once more"
            raise FactUnavailable(WholeFile(path), reason)
        hive.check(edits)
        return {"op": "registry", "path": path, "edits": [_edit(hive, edit) for edit in edits]}
    except ImageError as error:
        raise FactUnavailable(WholeFile(path), error.message.removeprefix(f"{path}: ")) from error


def open_hive(fs: GuestFS, path: str) -> HiveDraft:
    """The hive in a guest file; FactUnavailable when the file does not exist, ImageError when it is not a hive."""
    stream = fs.open(path)
    if stream is None:
        raise FactUnavailable(WholeFile(path), "is absent")
    return HiveDraft(stream, path)


def _edit(hive: HiveDraft, edit: RegistryEdit) -> ValueSetting | KeyDeleting:
    key = [part for part in hive.resolve(edit.key).split("\\") if part]
    if isinstance(edit, RegistrySet):
        return {"key": key, "name": edit.name, **_data(edit.value), "expect": None if edit.expect is None else _data(edit.expect)}
    return {"key": key, "delete": True, "expect": [{"name": name, **_data(value)} for name, value in edit.expect]}


def _data(value: RegistryData) -> ValueData:
    return {"type": value.type, "data": base64.b64encode(value.data).decode()}


def is_windows(fs: GuestFS) -> bool:
    """Whether a root is on a filesystem of Windows; no other system has its root on one."""
    return holds_roots_of(fs.mounts["/"].type, "windows")


def need_settled(fs: GuestFS, blocks: BlockTable) -> None:
    """FactUnavailable when the system volume must not be written: Windows is hibernated, was not shut down cleanly, or the volume is
    encrypted.
    """
    head = fs.head(HIBERNATION_FILE, 4) or b""
    if head.lower() in _SLEEPING:
        reason = (
            "Windows is hibernated or was shut down by its fast startup: what is written now would be lost or do damage; shut it down fully"
        )
        raise FactUnavailable(WholeFile(HIBERNATION_FILE), reason)
    for device in blocks.tagged("UUID", fs.mounts["/"].uuid):
        if device.kind == "bitlocker":
            raise FactUnavailable(WholeFile("/"), "lies under BitLocker, which is read but not written: decrypt the volume first")
        if device.kind == "ldm":
            raise FactUnavailable(WholeFile("/"), "lies on a dynamic disk, which is read but not written: make it a basic disk first")
        if device.detail("dirty"):
            raise FactUnavailable(WholeFile("/"), "Windows was not shut down cleanly: start it, let it check its disk, and shut it down")
