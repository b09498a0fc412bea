"""Which programs and libraries for direct writing this machine has, for ``v2vlint doctor``."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from v2vlint import programs
from v2vlint.engine.doctor import PieceState, State
from v2vlint.fixing.direct import hive, libext2fs, libntfs
from v2vlint.fixing.direct.terms import Declined

_TOOLS = ("mcopy", "mmd", "mdel", "mattrib")


def pieces() -> Iterator[PieceState]:
    """Look for each of them."""
    yield _piece("libext2fs", lambda: f"{libext2fs.version()}: ext2, ext3 and ext4 are written directly", "Linux guests")
    yield _piece("mtools", _mtools, "EFI system partitions")
    yield _piece("libntfs-3g", lambda: f"{_where(libntfs.library()._name)}: NTFS is written directly", "Windows guests")
    yield _piece("libhivex", lambda: f"{_where(hive.library()._name)}: registry hives are written directly", "Windows guests")


def _piece(name: str, look: Callable[[], str], guests: str) -> PieceState:
    try:
        return PieceState(name, State.OK, look())
    except Declined as error:
        return PieceState(name, State.MISSING, error.reason, f"fixes of {guests} go through libguestfs: half a minute more without KVM")


def _mtools() -> str:
    missing = [name for name in _TOOLS if programs.find(name) is None]
    if missing:
        raise Declined(f"{', '.join(missing)} not installed (apt install mtools)")
    return "FAT is written directly"


def _where(name: str | None) -> str:
    return (name or "").rpartition("/")[2]
