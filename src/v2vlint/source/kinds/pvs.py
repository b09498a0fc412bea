"""Parallels' config.pvs, in the folder of a .pvm bundle; disks are .hdd bundles, whose DiskDescriptor.xml names the image."""

from __future__ import annotations

import os
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.place import Where
from v2vlint.model.source import GuestSource
from v2vlint.model.xml_document import MAX_XML, Document, child, everywhere, local, read_document, text_of
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Absent, Found, Nearby
from v2vlint.source.values import identifier, mac_address, number

# The numbers of PMS_… and PNT_… in the Parallels SDK (PrlEnums.h).
_BUSES = {"0": "ide", "1": "scsi", "2": "sata", "3": "virtio", "4": "nvme"}
_CARDS = {"0": "", "1": "rtl8139", "2": "e1000", "3": "virtio", "4": "e1000e"}
_DESCRIPTOR = "DiskDescriptor.xml"
MAX_DESCRIPTOR = 64 << 10


def pvs(where: str, data: bytes) -> Definition:
    """The machine. A disk's ``path`` is that of its bundle; ImageError when it is not a Parallels machine."""
    document = read_document(place_name(where), data)
    if local(document.root) != "ParallelsVirtualMachine":
        raise ImageError(f"{where}: not a machine of Parallels'")
    return _Machine(where, document).definition()


class _Machine:
    def __init__(self, where: str, document: Document) -> None:
        self.where, self.document, self.root = where, document, document.root
        self.hardware = child(self.root, "Hardware")

    def at(self, *path: str) -> Element | None:
        found: Element | None = self.root
        for name in path:
            found = child(found, name)
        return found

    def text(self, *path: str) -> str:
        found = self.at(*path)
        return "" if found is None else (found.text or "").strip()

    def devices(self, name: str) -> Iterator[Element]:
        yield from (
            one for one in (() if self.hardware is None else self.hardware) if local(one) == name and text_of(one, "Enabled") != "0"
        )

    def place(self, element: Element) -> Where:
        return self.document.at(element)

    def definition(self) -> Definition:
        stated = {"name": self.at("Identification", "VmName"), "cpus": self.at("Hardware", "Cpu", "Number"),
                  "memory_mib": self.at("Hardware", "Memory", "RAM"), "tpm": self.at("Hardware", "TpmChip"),
                  "firmware": self.at("Settings", "Startup", "Bios")}  # fmt: skip
        bios = stated["firmware"]
        return Definition(
            source="pvs",
            where=self.where,
            name=self.text("Identification", "VmName"),
            firmware="uefi" if text_of(bios, "EfiEnabled") == "1" else "bios",
            disks=tuple(self.disks()),
            nics=tuple(self.nics()),
            secure_boot=text_of(bios, "EfiEnabled") == "1" and text_of(bios, "EfiSecureBoot") == "1",
            tpm=self.text("Hardware", "TpmChip", "Type") not in ("", "0"),
            memory_mib=number(self.text("Hardware", "Memory", "RAM")),
            cpus=number(self.text("Hardware", "Cpu", "Number")) or 1,
            os_hint=self.text("Settings", "General", "OsNumber"),
            media=tuple(self.media()),
            features=tuple(self.features()),
            product="parallels",
            uuid=identifier(self.text("Identification", "VmUuid")),
            path=self.document.path,
            places={name: self.place(element) for name, element in stated.items() if element is not None},
            content=self.document.text,
        )

    def disks(self) -> Iterator[DiskDevice]:
        for one in self.devices("Hdd"):
            size, bus = number(text_of(one, "Size")), _BUSES.get(text_of(one, "InterfaceType"), "")
            # PDT_USE_REAL_DEVICE: a disk of the host.
            mapped = "block" if text_of(one, "EmulatedType") == "0" else ""
            yield DiskDevice(
                text_of(one, "SystemName"), bus, target=f"{bus} {text_of(one, 'StackIndex')}".strip(), mapped=mapped,
                capacity=size << 20 if size else -1, where=self.place(one),
            )  # fmt: skip

    def media(self) -> Iterator[Medium]:
        for name, kind in (("CdRom", "cdrom"), ("Fdd", "floppy")):
            for one in self.devices(name):
                image = text_of(one, "SystemName") if text_of(one, "EmulatedType") == "1" and text_of(one, "Connected") != "0" else ""
                yield Medium(kind, image, _BUSES.get(text_of(one, "InterfaceType"), ""), self.place(one))

    def nics(self) -> Iterator[NicDevice]:
        for one in self.devices("NetworkAdapter"):
            model, network = _CARDS.get(text_of(one, "AdapterType"), ""), text_of(one, "VirtualNetworkID") or text_of(one, "AdapterName")
            yield NicDevice(mac_address(text_of(one, "MAC")), model, network, where=self.place(one))

    def features(self) -> Iterator[Feature]:
        for name, kind in (("Sound", "sound"), ("USB", "usb-controller"), ("Parallel", "parallel-port")):
            yield from (Feature(kind, text_of(one, "UserFriendlyName"), self.place(one)) for one in self.devices(name))
        for one in everywhere(self.root, "HostSharing"):
            if text_of(one, "Enabled") == "1":
                yield Feature("shared-folder", "", self.place(one))


def _locate(nearby: Nearby) -> GuestSource:
    definition = pvs(nearby.where, nearby.read(nearby.where, MAX_XML))
    return nearby.source(definition, lambda disk: _find(nearby, disk))


def _find(nearby: Nearby, disk: DiskDevice) -> Found:
    """The image of a bundle. One with several parts, or with snapshots, has to be merged first."""
    name = os.path.basename(disk.path.rstrip("/"))  # noqa: PTH119
    if disk.mapped or not name:
        return Absent(f"disk {disk.path or '?'} is a device of the host, not a file: not read")
    bundle = os.path.join(nearby.folder, name)  # noqa: PTH118
    descriptor = os.path.join(bundle, _DESCRIPTOR)  # noqa: PTH118
    if nearby.problem(descriptor) is not None:
        return nearby.found(name, bundle)
    try:
        root = read_document(descriptor, nearby.read(descriptor, MAX_DESCRIPTOR)).root
    except ImageError as error:
        return Absent(error.message)
    images = [text_of(one, "File") for one in everywhere(root, "Image")]
    if len(images) != 1:
        return Absent(f"disk {bundle} is in {len(images)} images: 'prl_disk_tool merge' makes one of snapshots, 'convert --merge' of parts")
    return nearby.found(name, os.path.join(bundle, os.path.basename(images[0])))  # noqa: PTH118, PTH119


KINDS = (DefinitionKind("pvs", "a Parallels machine", (".pvs",), _locate, listed=True, inside=("config.pvs",)),)
