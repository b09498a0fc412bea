"""The CPU level the guest's userland needs, from ld.so, the C library and the first process: the programs that every boot runs."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.kernel.elf import ElfNeeds, read_elf_needs
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile

_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
_LIBRARIES = ("/lib64/libc.so.6", "/usr/lib64/libc.so.6", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/libc.so.6", "/lib/libc.so.6")
_SYSTEMD = ("/usr/lib/systemd/systemd", "/lib/systemd/systemd")
_INITS = ("/sbin/init", "/usr/sbin/init", "/usr/bin/init", "/etc/init", "/bin/init")
_DRACUT = ("/usr/bin/dracut", "/usr/sbin/dracut", "/sbin/dracut")
_RHEL_LEVELS = {8: 1, 9: 2, 10: 3}


@dataclass(frozen=True, slots=True)
class BinaryNeed:
    """One program or library that every boot runs, and the x86-64 level it requires (0: not stated)."""

    where: WholeFile
    level: int


@dataclass(frozen=True, slots=True)
class CpuNeeds:
    """``binaries`` are those examined. ``distribution_level`` is the level the distribution is known to be built for, 0 when not known.

    ``arm_level`` is the same on 64-bit ARM (:mod:`v2vlint.model.arm_level`). ``machine`` is ``x86_64``, ``i386`` or another architecture of
    the first process, empty when there is none.
    """

    binaries: tuple[BinaryNeed, ...] = ()
    distribution_level: int = 0
    machine: str = ""
    arm_level: int = 0

    @property
    def level(self) -> int:
        """The x86-64 level without which the userland certainly does not start; 0 when no binary states one."""
        return max((need.level for need in self.binaries), default=0)

    @property
    def highest(self) -> BinaryNeed | None:
        """The binary with the highest level, the first of several; None when none states a level."""
        return max((need for need in self.binaries if need.level), key=lambda need: need.level, default=None)


@provides
def find_cpu_needs(fs: GuestFS, os: OsInfo) -> CpuNeeds:
    """Read the ELF notes of the binaries that every boot runs. Copies under glibc-hwcaps, chosen at run time, do not count."""
    binaries: list[BinaryNeed] = []
    machine = ""
    for path, needs in _binaries(fs):
        machine = needs.machine
        binaries.append(BinaryNeed(WholeFile(path), needs.level if needs.machine == "x86_64" else 0))
    return CpuNeeds(tuple(binaries), _distribution(os), machine, _arm_distribution(os) if machine == "aarch64" else 0)


def _binaries(fs: GuestFS) -> Iterator[tuple[str, ElfNeeds]]:
    for paths in (_LOADERS, _LIBRARIES, _inits(fs)):
        for path in paths:
            needs = _needs(fs, path)
            if needs is not None:
                yield path, needs
                # The first that exists is the one in use.
                break


def _inits(fs: GuestFS) -> tuple[str, ...]:
    """The candidates for the first process: dracut's systemd looks for another systemd before /sbin/init, others do not."""
    return (*_SYSTEMD, *_INITS) if any(map(fs.exists, _DRACUT)) else (*_INITS, *_SYSTEMD)


def _needs(fs: GuestFS, path: str) -> ElfNeeds | None:
    stream = fs.open(path)
    try:
        return None if stream is None else read_elf_needs(stream)
    except (FactUnavailable, MemoryError):
        raise
    except Exception as error:
        raise FactUnavailable(WholeFile(path), f"cannot be read: {error}") from error


def _distribution(os: OsInfo) -> int:
    """The Red Hat family raises its baseline with the major version. AlmaLinux 10 also exists for level 2, so it is undecided."""
    if os.family != "rhel" or os.arch != "x86_64" or os.distro in ("fedora", "amzn", "almalinux"):
        return 0
    return _RHEL_LEVELS.get(os.major, 0)


def _arm_distribution(os: OsInfo) -> int:
    """Amazon Linux 2023 is built for Graviton2: "ARMv8.2 with Cryptography Extension" (its user guide, "System requirements")."""
    return 82 if os.distro == "amzn" and os.major >= 2023 else 0
