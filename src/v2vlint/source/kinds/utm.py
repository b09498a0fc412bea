"""UTM's config.plist, in the layout of version 4 or the older one; the disks are in the bundle's folder ``Data`` or ``Images``."""

from __future__ import annotations

import os
import plistlib
from collections.abc import Iterator

from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.place import WholeFile
from v2vlint.model.plain import JsonObject
from v2vlint.model.source import GuestSource
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Absent, Found, Nearby
from v2vlint.source.values import identifier, mac_address

MAX_PLIST = 1 << 20
_ARCHITECTURES = {"arm64": "aarch64"}
_ENTITY = b"<!ENTITY"


def utm(where: str, data: bytes) -> Definition:
    """The machine; ImageError when it is not a property list of UTM."""
    # Entities that are made of entities may grow to any size.
    if _ENTITY in data:
        raise ImageError(f"{where}: a property list with entities")
    try:
        plist = plistlib.loads(data)
    except MemoryError:
        raise
    # plistlib lets errors of many kinds out for a damaged list.
    except Exception as error:
        raise ImageError(f"{where}: not a property list: {type(error).__name__}: {error}") from error
    if not isinstance(plist, dict) or not isinstance(plist.get("System"), dict):
        raise ImageError(f"{where}: not a machine of UTM's")
    return _Machine(where, plist).definition()


class _Machine:
    def __init__(self, where: str, plist: JsonObject) -> None:
        self.where, self.plist, self.place = where, plist, WholeFile(place_name(where))
        # UTMLegacyQemuConfiguration has "Drives", UTMQemuConfiguration "Drive".
        self.system, self.old = _map(plist, "System"), "Drives" in plist

    def definition(self) -> Definition:
        system, qemu, information = self.system, _map(self.plist, "QEMU"), _map(self.plist, "Information")
        apple = self.plist.get("Backend") == "Apple"
        arch = _text(system, "Architecture")
        return Definition(
            source="utm",
            where=self.where,
            name=_text(information, "Name") or _bundle(self.where),
            # Apple's virtualization framework has no BIOS.
            firmware="uefi" if apple or _true(qemu, "UEFIBoot") or _true(system, "BootUefi") else "bios",
            disks=tuple(self.disks()),
            nics=tuple(self.nics()),
            tpm=_true(qemu, "TPMDevice"),
            memory_mib=_number(system, "MemorySize") or _number(system, "Memory"),
            cpus=_number(system, "CPUCount"),
            machine=_text(system, "Target"),
            # "default" is UTM's word for no choice.
            cpu_model=_text(system, "CPU").removeprefix("default"),
            arch=_ARCHITECTURES.get(arch, arch),
            media=tuple(self.media()),
            features=tuple(self.features()),
            product="utm",
            uuid=identifier(_text(information, "UUID") or _text(system, "SystemUUID")),
            path=self.place.path,
            places={name: self.place for name, known in (("memory_mib", "MemorySize"), ("memory_mib", "Memory")) if known in system},
        )

    def drives(self) -> Iterator[tuple[str, str, str]]:
        """The image type, bus and file of every drive."""
        for one in _maps(self.plist, "Drives" if self.old else "Drive"):
            file = _text(one, "ImagePath" if self.old else "ImageName")
            yield (
                _text(one, "ImageType").lower() or "disk",
                _text(one, "InterfaceType" if self.old else "Interface").lower() or "virtio",
                file,
            )

    def disks(self) -> Iterator[DiskDevice]:
        for kind, bus, file in self.drives():
            # mtd and pflash are flash memory with firmware.
            if kind == "disk" and bus not in ("mtd", "pflash", "floppy"):
                yield DiskDevice(file, bus, format="qcow2" if file.endswith(".qcow2") else "", where=self.place)

    def media(self) -> Iterator[Medium]:
        for kind, bus, file in self.drives():
            if kind == "cd" or bus == "floppy":
                yield Medium("floppy" if bus == "floppy" else "cdrom", file, bus, self.place)

    def nics(self) -> Iterator[NicDevice]:
        if self.old:
            card = _map(self.plist, "Networking")
            if _text(card, "NetworkMode") not in ("", "none"):
                mac, mode = mac_address(_text(card, "NetworkCardMAC")), _text(card, "NetworkMode")
                yield NicDevice(mac, _text(card, "NetworkCard"), "", mode, where=self.place)
        for one in _maps(self.plist, "Network"):
            mac, mode = mac_address(_text(one, "MacAddress")), _text(one, "Mode").lower()
            yield NicDevice(mac, _text(one, "Hardware"), _text(one, "BridgeInterface"), mode, where=self.place)

    def features(self) -> Iterator[Feature]:
        sharing = _map(self.plist, "Sharing")
        if _text(sharing, "DirectoryShareMode") not in ("", "None"):
            yield Feature("shared-folder", _text(sharing, "DirectoryShareMode"), self.place)
        if _map(self.plist, "QEMU").get("AdditionalArguments") or self.system.get("AddArgs"):
            yield Feature("qemu-arguments", "", self.place)
        if _maps(self.plist, "Sound") or _true(_map(self.plist, "Sound"), "SoundEnabled"):
            yield Feature("sound", "", self.place)


def _bundle(where: str) -> str:
    return os.path.basename(os.path.dirname(os.path.abspath(where))).removesuffix(".utm")  # noqa: PTH100, PTH119, PTH120


def _map(found: JsonObject, key: str) -> JsonObject:
    value = found.get(key)
    return value if isinstance(value, dict) else {}


def _maps(found: JsonObject, key: str) -> list[JsonObject]:
    value = found.get(key)
    return [one for one in value[:100] if isinstance(one, dict)] if isinstance(value, list) else []


def _text(found: JsonObject, key: str) -> str:
    value = found.get(key)
    return value[:4096] if isinstance(value, str) else ""


def _true(found: JsonObject, key: str) -> bool:
    return found.get(key) is True


def _number(found: JsonObject, key: str) -> int:
    value = found.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 40 else 0


def _locate(nearby: Nearby) -> GuestSource:
    definition = utm(nearby.where, nearby.read(nearby.where, MAX_PLIST))
    return nearby.source(definition, lambda disk: _find(nearby, disk))


def _find(nearby: Nearby, disk: DiskDevice) -> Found:
    name = os.path.basename(disk.path)  # noqa: PTH119
    if not name:
        return Absent("a disk of it is outside the bundle, and its place is known to UTM only: not read")
    return nearby.found(name, *(os.path.join(nearby.folder, folder, name) for folder in ("Data", "Images", "")))  # noqa: PTH118


KINDS = (DefinitionKind("utm", "a UTM machine", (".plist",), _locate, inside=("config.plist",)),)
