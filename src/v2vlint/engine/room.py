"""Whether there is space for what a fix writes. A fix without enough space is only described, not offered."""

from __future__ import annotations

import dataclasses
import posixpath
import re
from collections import Counter
from collections.abc import Iterable

from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.space import writable_bytes
from v2vlint.guest.text import split_lines
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Finding
from v2vlint.model.fix import AppendInitramfs, Applicability, CopyFile, Edit, Fix, WriteData

RESERVE = 1 << 20
"""What a fix leaves free."""
PathAndSize = tuple[str, int]
_MODULE = re.compile(r"([^/]+)\.ko(?:\.\w+)?$")


def with_room(finding: Finding, fs: GuestFS, blocks: BlockTable) -> Finding:
    """``finding``; its fix is only described, with the reason, when the filesystem that it writes to is full."""
    fix = finding.fix
    if fix is None or fix.applicability is Applicability.MANUAL:
        return finding
    reason = lack_of_room(fs, blocks, (_written(fs, edit) for edit in fix.edits))
    if not reason:
        return finding
    return dataclasses.replace(finding, fix=Fix(f"{fix.title} (not now: {reason})", Applicability.MANUAL, fix.edits))


def lack_of_room(fs: GuestFS, blocks: BlockTable, writes: Iterable[PathAndSize]) -> str:
    """Why all ``writes``, so many more bytes in each path, cannot be made; empty when they can, or when the free space is unknown."""
    needed: Counter[BlockDevice] = Counter()
    systems: dict[BlockDevice, FileSystem] = {}
    for path, size in writes:
        if path:
            system = fs.mounts[fs.mount_of(fs.resolve(posixpath.dirname(path)) or path)]
            for device in blocks.tagged("UUID", system.uuid)[:1]:
                needed[device] += size
                systems[device] = system
    for device, size in needed.items():
        free = writable_bytes(systems[device], device)
        if 0 <= free < size + RESERVE:
            return f"{size >> 10} KiB needed, {free >> 10} KiB free on {device.name}"
    return ""


def _written(fs: GuestFS, edit: Edit) -> PathAndSize:
    """The path and the approximate size of what an edit writes; an empty path for edits that write next to nothing."""
    try:
        if isinstance(edit, WriteData):
            return edit.path, len(edit.data)
        if isinstance(edit, CopyFile):
            found = fs.stat(edit.source)
            return edit.path, found.size if found else 0
        if isinstance(edit, AppendInitramfs):
            return edit.path, _modules(fs, edit)
    except FactUnavailable:
        pass
    return "", 0


def _modules(fs: GuestFS, edit: AppendInitramfs) -> int:
    """The size of the modules to add, with their dependencies."""
    folder = next((one for one in (f"/lib/modules/{edit.version}", f"/usr/lib/modules/{edit.version}") if fs.is_dir(one)), "")
    text = fs.text(f"{folder}/modules.dep") if folder else None
    lines = (line.partition(":") for line in split_lines(text.content if text else ""))
    table = {match[1].replace("-", "_"): [path, *needs.split()] for path, _colon, needs in lines if (match := _MODULE.search(path))}
    paths = {path for name in edit.modules for path in table.get(name.replace("-", "_"), ())}
    return sum(found.size for path in paths if (found := fs.stat(f"{folder}/{path}")))
