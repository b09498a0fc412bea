"""VMware's .vmx files: ``key = "value"`` lines, keys without case."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from v2vlint.model.definition import Definition, DiskDevice, NicDevice

MAX_VMX = 1 << 20
_LINE = re.compile(r'^\s*([\w.:]+)\s*=\s*"(.*)"\s*$')
_DISK = re.compile(r"^(scsi|sata|nvme|ide)(\d+):(\d+)\.filename$")
_NIC = re.compile(r"^ethernet(\d+)\.")
_BUSES = ("scsi", "sata", "nvme", "ide")


def vmx(where: str, data: bytes) -> Definition:
    """The machine that a .vmx file defines; lines that do not fit are left out."""
    values = _values(data)
    firmware = values.get("firmware", "")
    notes = ["encrypted: the disks need VMware to decrypt them"] if "encryption.keysafe" in values else []
    return Definition(
        source="vmx",
        where=where,
        name=values.get("displayname", ""),
        firmware="uefi" if firmware.lower() == "efi" else "bios",
        disks=tuple(_disks(values)),
        nics=tuple(_nics(values)),
        secure_boot=_true(values, "uefi.secureboot.enabled"),
        tpm=_true(values, "vtpm.present"),
        memory_mib=_number(values, "memsize"),
        cpus=_number(values, "numvcpus") or 1,
        os_hint=values.get("guestos", ""),
        notes=tuple(notes),
    )


def _values(data: bytes) -> dict[str, str]:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        text = data.decode("latin-1")
    matches = (_LINE.match(line) for line in text.splitlines())
    return {match[1].lower(): re.sub(r"\|([0-9A-Fa-f]{2})", _unescape, match[2]) for match in matches if match}


def _unescape(match: re.Match[str]) -> str:
    return chr(int(match[1], 16))


def _disks(values: Mapping[str, str]) -> Iterator[DiskDevice]:
    found = [(match, path) for key, path in values.items() if (match := _DISK.match(key))]
    for match, path in sorted(found, key=lambda one: (_BUSES.index(one[0][1]), int(one[0][2]), int(one[0][3]))):
        bus, controller, unit = match.groups()
        slot = f"{bus}{controller}:{unit}"
        kind = values.get(f"{slot}.devicetype", "disk").lower()
        if _true(values, f"{slot}.present", "true") and "cdrom" not in kind and not path.lower().endswith((".iso", "auto detect")):
            yield DiskDevice(path, bus, values.get(f"{bus}{controller}.virtualdev", ""), target=slot)


def _nics(values: Mapping[str, str]) -> Iterator[NicDevice]:
    numbers = {int(match[1]) for key in values if (match := _NIC.match(key))}
    for number in sorted(numbers):
        card = f"ethernet{number}"
        if _true(values, f"{card}.present", "false"):
            mac = values.get(f"{card}.address") or values.get(f"{card}.generatedaddress", "")
            yield NicDevice(mac.lower(), values.get(f"{card}.virtualdev", ""), values.get(f"{card}.networkname", ""))


def _true(values: Mapping[str, str], key: str, default: str = "false") -> bool:
    return values.get(key, default).lower() in ("true", "1", "yes")


def _number(values: Mapping[str, str], key: str) -> int:
    text = values.get(key, "")
    return int(text) if text.isdecimal() and len(text) < 12 else 0
