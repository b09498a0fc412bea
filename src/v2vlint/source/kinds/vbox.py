"""VirtualBox's .vbox files (VirtualBox-settings.xsd): the registry of media, the hardware, and the snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from xml.etree.ElementTree import Element

from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.place import Where
from v2vlint.model.source import DiskFile, GuestSource
from v2vlint.model.xml_document import MAX_XML, Document, attribute, child, everywhere, local, read_document
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Nearby
from v2vlint.source.values import identifier, mac_address, number, true

_BUSES = {
    "AHCI": "sata", "PIIX3": "ide", "PIIX4": "ide", "ICH6": "ide", "LsiLogic": "scsi", "BusLogic": "scsi", "LsiLogicSas": "scsi",
    "VirtioSCSI": "scsi", "NVMe": "nvme", "USB": "usb", "I82078": "fdc",
}  # fmt: skip
MAX_MEDIA = 200
_MEDIA = {"DVD": "cdrom", "Floppy": "floppy"}
_FORMATS = {"VDI": "vdi", "VMDK": "vmdk", "VHD": "vpc", "RAW": "raw"}
_ARCHITECTURES = {"x86": "x86_64", "arm": "aarch64"}


def vbox(where: str, data: bytes) -> Definition:
    """The machine; ImageError when there is none in it. A disk's ``path`` is its medium's location."""
    document = read_document(place_name(where), data)
    machine = child(document.root, "Machine")
    if machine is None:
        raise ImageError(f"{where}: no VirtualBox machine in it")
    return _Machine(where, document, machine).definition()


class _Machine:
    def __init__(self, where: str, document: Document, machine: Element) -> None:
        self.where, self.document, self.machine = where, document, machine
        self.hardware = child(machine, "Hardware")
        media = (one for kind in ("HardDisk", "Image") for one in self.find(kind, document.root))
        self.registered = {attribute(one, "uuid"): one for one in media if attribute(one, "location")}
        self.controllers = [one for group in self.find("StorageControllers") for one in group if local(one) == "StorageController"]

    def find(self, name: str, below: Element | None = None) -> Iterator[Element]:
        """Elements of the machine's current state, not of its snapshots."""
        for one in self.machine if below is None else below:
            if local(one) != "Snapshot":
                yield from (one,) if local(one) == name else ()
                yield from self.find(name, one)

    def one(self, name: str) -> Element | None:
        return next(self.find(name), None)

    def at(self, element: Element, name: str = "") -> Where:
        return self.document.at(element, name)

    def definition(self) -> Definition:
        firmware, cpu, memory = self.one("Firmware"), self.one("CPU"), self.one("Memory")
        tpm, platform = self.one("TrustedPlatformModule"), self.one("Platform")
        kind = attribute(firmware, "type")
        places = {"name": self.machine, "firmware": firmware, "cpus": cpu, "memory_mib": memory, "tpm": tpm}
        return Definition(
            source="vbox",
            where=self.where,
            name=attribute(self.machine, "name"),
            # EFI, EFI32, EFI64 and EFIDUAL.
            firmware="uefi" if kind.startswith("EFI") else "bios",
            disks=tuple(self.disks()),
            nics=tuple(self.nics()),
            secure_boot=any(true(attribute(one, "enabled")) for one in self.find("SecureBoot")),
            tpm=tpm is not None and attribute(tpm, "type").lower() not in ("", "none"),
            memory_mib=number(attribute(memory, "RAMSize")),
            cpus=number(attribute(cpu, "count")) or 1,
            os_hint=attribute(self.machine, "OSType"),
            machine=attribute(self.one("Chipset"), "type"),
            arch=_ARCHITECTURES.get(attribute(platform, "architecture").lower(), ""),
            media=tuple(self.media()),
            passthrough=tuple(self.passthrough()),
            snapshots=tuple(Feature("snapshot", attribute(one, "name"), self.at(one)) for one in everywhere(self.machine, "Snapshot")),
            features=tuple(self.features()),
            product="virtualbox",
            uuid=identifier(attribute(self.hardware, "uuid") or attribute(self.machine, "uuid")),
            controllers=tuple(self.attached()),
            encrypted=bool(attribute(self.machine, "keyId")),
            path=self.document.path,
            places={name: self.at(element) for name, element in places.items() if element is not None},
            content=self.document.text,
        )

    def attached(self) -> Iterator[ControllerDevice]:
        for one in self.controllers:
            bus = _BUSES.get(attribute(one, "type"), "")
            if bus != "fdc":
                yield ControllerDevice(bus, attribute(one, "type"), attribute(one, "name"), self.at(one))

    def devices(self) -> Iterator[tuple[Element, Element, Element | None]]:
        """The controller, the slot, and the image in it."""
        for controller in self.controllers:
            for device in everywhere(controller, "AttachedDevice"):
                yield controller, device, child(device, "Image")

    def disks(self) -> Iterator[DiskDevice]:
        for controller, device, image in self.devices():
            if attribute(device, "type") != "HardDisk":
                continue
            medium = self.registered.get(attribute(image, "uuid"))
            model = attribute(controller, "type")
            yield DiskDevice(
                attribute(medium, "location"), _BUSES.get(model, ""), model,
                _FORMATS.get(attribute(medium, "format").upper(), ""),
                f"{attribute(controller, 'name')} {attribute(device, 'port')}:{attribute(device, 'device')}",
                shared=attribute(medium, "type") == "Shareable",
                # Left out of snapshots, like VMware's independent disks.
                mode="independent-persistent" if attribute(medium, "type") == "Writethrough" else "",
                where=self.at(device) if medium is None else self.at(medium, "location"),
            )  # fmt: skip

    def media(self) -> Iterator[Medium]:
        for controller, device, image in self.devices():
            if kind := _MEDIA.get(attribute(device, "type")):
                path = attribute(self.registered.get(attribute(image, "uuid")), "location")
                yield Medium(kind, path, _BUSES.get(attribute(controller, "type"), ""), self.at(device))

    def nics(self) -> Iterator[NicDevice]:
        for one in self.find("Adapter"):
            if true(attribute(one, "enabled")) and attribute(one, "MACAddress"):
                attached = next((part for part in one if local(part) != "DisabledModes"), None)
                kind = "" if attached is None else local(attached)
                address = mac_address(attribute(one, "MACAddress"))
                yield NicDevice(address, attribute(one, "type"), attribute(attached, "name"), kind, where=self.at(one, "MACAddress"))

    def passthrough(self) -> Iterator[Feature]:
        for group in self.find("HostPci"):
            yield from (Feature("pci", attribute(one, "host"), self.at(one)) for one in everywhere(group, "Device"))

    def features(self) -> Iterator[Feature]:
        cpu, saved = self.one("CPU"), attribute(self.machine, "stateFile")
        if cpu is not None and true(attribute(cpu, "hotplug")):
            yield Feature("cpu-hotplug", "true", self.at(cpu))
        if saved:
            yield Feature("suspended", saved, self.at(self.machine, "stateFile"))
        for name, kind in (("AudioAdapter", "sound"), ("SharedFolder", "shared-folder"), ("Controller", "usb-controller")):
            for one in self.find(name):
                if name != "AudioAdapter" or true(attribute(one, "enabled") or "true"):
                    yield Feature(kind, attribute(one, "hostPath") or attribute(one, "type"), self.at(one))


def _locate(nearby: Nearby) -> GuestSource:
    definition = vbox(nearby.where, nearby.read(nearby.where, MAX_XML))
    source = nearby.source(definition, nearby.beside)
    media = tuple(_media(nearby, definition))
    return replace(source, disks=tuple(replace(disk, siblings=media) for disk in source.disks))


def _media(nearby: Nearby, definition: Definition) -> Iterator[DiskFile]:
    """Every registered image by its identifier, which a differencing image uses to refer to its parent."""
    root = read_document(definition.path, definition.content).root
    registered = [one for one in everywhere(root, "HardDisk") if attribute(one, "location")]
    # With differencing images, there are more images than disks.
    for one in registered[:MAX_MEDIA] if len(registered) > len(definition.disks) else ():
        found = nearby.beside(DiskDevice(attribute(one, "location")))
        if isinstance(found, DiskFile):
            yield DiskFile(found.path, f"{found.path}/{identifier(attribute(one, 'uuid'))}")


KINDS = (DefinitionKind("vbox", "a VirtualBox machine", (".vbox",), _locate, listed=True, disks=(".vdi", ".vmdk", ".vhd")),)
