"""Which firmware starts the guest, and where its files are. UEFI always starts with fresh variables: NVRAM does not travel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from v2vlint.model.errors import UsageError
from v2vlint.model.target import Firmware, Target

_OVMF = (
    (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    (Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
    (Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
    (Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"), Path("/usr/share/edk2/x64/OVMF_VARS.4m.fd")),
)


@dataclass(frozen=True, slots=True)
class Startable:
    """With which firmware the guest's disks can be started, as far as their bytes tell; ``stated`` is what its definition says, or empty."""

    bios: bool | None = None
    uefi: bool | None = None
    stated: str = ""


def choose_firmware(asked: Firmware | None, target: Target, guest: Startable) -> Firmware:
    """The user's choice, else the definition's, else the first of the target's that can start the guest, else the first that may."""
    if asked:
        return asked
    if guest.stated in target.firmware:
        return "uefi" if guest.stated == "uefi" else "bios"
    can: dict[Firmware, bool | None] = {"bios": guest.bios, "uefi": guest.uefi}
    for wanted in (True, None):
        for firmware in target.firmware:
            if can[firmware] is wanted:
                return firmware
    return target.firmware[0]


def firmware_options(firmware: Firmware, folder: Path) -> Iterator[str]:
    """QEMU options. SeaBIOS is QEMU's own; its text output is mirrored to the serial port. UsageError when OVMF is not installed."""
    if firmware == "bios":
        port = folder / "sercon-port"
        port.write_bytes((0x3F8).to_bytes(2, "little"))
        yield from ("-fw_cfg", f"name=etc/sercon-port,file={port}")
        return
    code, template = _ovmf()
    variables = folder / "nvram.fd"
    shutil.copyfile(template, variables)
    yield from ("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}")
    yield from ("-drive", f"if=pflash,unit=1,format=raw,file={variables}")


def _ovmf() -> tuple[Path, Path]:
    for code, variables in _OVMF:
        if code.is_file() and variables.is_file():
            return code, variables
    raise UsageError("there is no OVMF firmware for a UEFI guest", hint="apt install ovmf")
