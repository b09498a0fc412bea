"""The prover's request to the child that reads the guest, and its answer: plain data."""

from __future__ import annotations

import re
from pathlib import Path

from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef, Keys
from v2vlint.model.target import Firmware, Hardware, Target
from v2vlint.proving.images import ProofDisk
from v2vlint.source.values import mac_address

PREPARE = "v2vlint.proving.prepare:prepare"

_HEX = re.compile(r"(?:[0-9a-f]{2})*")

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


def is_valid(prepared: PreparedBoot, target: Target) -> bool:
    """Whether a child that was asked about ``target`` may give this answer, whose words become options and files of QEMU."""
    from v2vlint.facts.environment.chosen_hardware import could_be

    kernel = prepared.kernel
    # None may lead out of the folder.
    names = (kernel.kernel, *kernel.initrds) if kernel else ()
    return (
        all(name == Path(name).name not in ("", "..") and "\0" not in name for name in names)
        and not (kernel and "\0" in kernel.command_line)
        and prepared.mac == mac_address(prepared.mac)
        and prepared.boot_disk >= 0
        and all(_HEX.fullmatch(bitmap) for font in prepared.fonts for bitmap, _char in font)
        and (prepared.hardware is None or could_be(target, prepared.hardware))
    )
