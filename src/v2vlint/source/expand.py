"""From command-line arguments to guests. Runs in the parent: looks at names and file types only, never at what is in an image."""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.source import GuestRef

_KINDS = {".ova": "ova", ".ovf": "ovf", ".vmx": "vmx", ".xml": "libvirt"}
_IMAGES = frozenset({".qcow2", ".qcow", ".img", ".raw", ".vmdk", ".vhd", ".vhdx", ".vdi", ".ova", ".ovf", ".vmx"})
_EXTENT = re.compile(r"-(s\d{3}|f\d{3}|flat|delta|sesparse|ctk)\.vmdk$")
MAX_GUESTS = 10_000


def expand(arguments: Sequence[str], connect: str = "", *, verify: bool = False) -> tuple[GuestRef, ...]:
    """One reference per guest: a disk image, ``a+b`` (disks of one guest), a folder of images, a glob, an OVA, OVF, VMX or libvirt XML
    file, or ``domain:NAME`` of the libvirt at the URI ``connect``. ``verify`` asks for the checksums of whole OVF packages. UsageError says
    which argument is wrong."""
    found = tuple(ref for argument in arguments for ref in _expand(argument, connect))
    if verify:
        found = tuple(replace(ref, verify=True) for ref in found)
    if len(found) > MAX_GUESTS:
        raise UsageError(f"more than {MAX_GUESTS} guests")
    return found


def _expand(argument: str, connect: str) -> Iterator[GuestRef]:
    if argument.startswith("domain:"):
        yield _domain(argument, connect)
    elif os.path.lexists(argument):
        yield from _existing(argument)
    elif "+" in argument and any(os.path.lexists(part) for part in argument.split("+")):
        paths = argument.split("+")
        for path in paths:
            _check(path)
        yield GuestRef(argument, "disks", tuple(paths))
    elif glob.has_magic(argument):
        matches = sorted(glob.glob(argument))  # noqa: PTH207
        if not matches:
            raise NothingFound(f"{argument}: no file matches")
        for path in matches:
            yield from _existing(path)
    else:
        raise UsageError(f"{argument}: no such file")


def _existing(path: str) -> Iterator[GuestRef]:
    if os.path.isdir(path):  # noqa: PTH112
        yield from _folder(path)
    else:
        _check(path)
        yield GuestRef(path, _KINDS.get(Path(path).suffix.lower(), "disks"), (path,))


def _folder(path: str) -> Iterator[GuestRef]:
    try:
        names = sorted(name for name in os.listdir(path) if Path(_unpacked(name)).suffix in _IMAGES)  # noqa: PTH208
    except OSError as error:
        raise UsageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    described = any(Path(name).suffix.lower() in (".ovf", ".vmx") for name in names)
    chosen = [name for name in names if not _EXTENT.search(name) and not (described and name.lower().endswith(".vmdk"))]
    if not chosen:
        raise NothingFound(f"{path}: a folder without disk images", hint=f"looked for {', '.join(sorted(_IMAGES))}")
    for name in chosen:
        file = os.path.join(path, name)  # noqa: PTH118
        if not os.path.isdir(file):  # noqa: PTH112
            yield from _existing(file)


def _unpacked(name: str) -> str:
    return name.lower().removesuffix(".gz")


def _check(path: str) -> None:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError as error:
        raise UsageError(f"{path}: {os.strerror(error.errno or 0).lower()}") from error
    if not (stat.S_ISREG(mode) or stat.S_ISBLK(mode)):
        raise UsageError(f"{path}: not a file or block device")
    if not os.access(path, os.R_OK):
        raise UsageError(f"{path}: permission denied")


def _domain(argument: str, connect: str) -> GuestRef:
    from v2vlint.source.live import live_domain

    found = live_domain(argument.removeprefix("domain:"), connect)
    return GuestRef(argument, "libvirt", (), found.xml, found.state, found.snapshots, found.volumes)
