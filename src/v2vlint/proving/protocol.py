"""The prover's request to the child that reads the guest, and its answer: plain data."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef, Keys
from v2vlint.model.target import Firmware, Hardware, Target
from v2vlint.proving.images import ProofDisk

PREPARE = "v2vlint.proving.prepare:prepare"

Glyphs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ProveAsk:
    """Examine one guest. With ``kernel``, copy its default entry's kernel and initramfs into the host folder ``folder``."""

    guest: GuestRef
    target: Target
    folder: str
    kernel: bool = False
    keys: Keys = Keys()


@dataclass(frozen=True, slots=True)
class CopiedKernel:
    """The default entry: names of the copies in the folder, and its command line."""

    entry: str
    kernel: str
    initrds: tuple[str, ...]
    command_line: str


@dataclass(frozen=True, slots=True)
class PreparedBoot:
    """The guest's disks and what booting them needs.

    ``firmware`` is what the forecast boots it with, ``boot_disk`` the 0-based disk it boots from. ``mac`` is the address of its network
    card, if exactly one is known. ``fonts`` are the guest's console fonts: pairs of a bitmap in hexadecimal and a character. ``no_kernel``
    says why there is no kernel although one was requested. ``hardware`` is the target's for this guest, None where QEMU has none like it.
    """

    disks: tuple[ProofDisk, ...]
    firmware: Firmware
    boot_disk: int = 0
    mac: str = ""
    fonts: tuple[Glyphs, ...] = ()
    kernel: CopiedKernel | None = None
    no_kernel: str = ""
    hardware: Hardware | None = None
