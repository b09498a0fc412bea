"""The firmware and its files. UEFI always starts with fresh variables: NVRAM does not travel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from v2vlint.model.errors import UsageError
from v2vlint.model.target import Firmware

_OVMF = (
    (Path("/usr/share/OVMF/OVMF_CODE_4M.fd"), Path("/usr/share/OVMF/OVMF_VARS_4M.fd")),
    (Path("/usr/share/OVMF/OVMF_CODE.fd"), Path("/usr/share/OVMF/OVMF_VARS.fd")),
    (Path("/usr/share/edk2/ovmf/OVMF_CODE.fd"), Path("/usr/share/edk2/ovmf/OVMF_VARS.fd")),
    (Path("/usr/share/edk2/x64/OVMF_CODE.4m.fd"), Path("/usr/share/edk2/x64/OVMF_VARS.4m.fd")),
)
_AAVMF = (
    (Path("/usr/share/AAVMF/AAVMF_CODE.no-secboot.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")),
    (Path("/usr/share/AAVMF/AAVMF_CODE.fd"), Path("/usr/share/AAVMF/AAVMF_VARS.fd")),
    (Path("/usr/share/edk2/aarch64/QEMU_EFI-silent-pflash.raw"), Path("/usr/share/edk2/aarch64/vars-template-pflash.raw")),
    (Path("/usr/share/edk2/aarch64/QEMU_CODE.fd"), Path("/usr/share/edk2/aarch64/QEMU_VARS.fd")),
)
_UEFI = {"x86_64": ("OVMF", _OVMF, "ovmf"), "aarch64": ("AAVMF", _AAVMF, "qemu-efi-aarch64")}


def firmware_options(firmware: Firmware, arch: str, folder: Path) -> Iterator[str]:
    """QEMU options. SeaBIOS is QEMU's own; its text output is mirrored to the serial port. UsageError when that of UEFI is missing."""
    if firmware == "bios":
        port = folder / "sercon-port"
        # The I/O port of COM1 (SeaBIOS, docs/Runtime_config.md).
        port.write_bytes((0x3F8).to_bytes(2, "little"))
        yield from ("-fw_cfg", f"name=etc/sercon-port,file={_escaped(port)}")
        return
    code, template = _uefi(arch)
    variables = folder / "nvram.fd"
    shutil.copyfile(template, variables)
    yield from ("-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={_escaped(code)}")
    yield from ("-drive", f"if=pflash,unit=1,format=raw,file={_escaped(variables)}")


def _uefi(arch: str) -> tuple[Path, Path]:
    name, places, package = _UEFI[arch]
    for code, variables in places:
        if code.is_file() and variables.is_file():
            return code, variables
    raise UsageError(f"there is no {name} firmware for a UEFI guest", hint=f"apt install {package}")


def _escaped(path: Path) -> str:
    # A comma ends a property in QEMU's options; two are one that belongs to the value.
    return str(path).replace(",", ",,")
