"""OVF envelopes (DMTF DSP0243) as VMware, VirtualBox, oVirt and Xen products write them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property
from xml.etree.ElementTree import Element

from v2vlint.model.definition import Definition, DiskDevice, Feature, Medium, NicDevice, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.place import Where
from v2vlint.model.xml_document import Document, attribute, child, everywhere, local, read_document, text_of
from v2vlint.source.values import mac_address, number

_CONTROLLERS = {"5": "ide", "6": "scsi", "20": "sata"}
_MEDIA = {"14": "floppy", "15": "cdrom", "16": "cdrom"}
_SECURE = ("bootOptions.efiSecureBootEnabled", "uefi.secureBoot.enabled")
_SETTINGS = {
    "cpuHotAddEnabled": "cpu-hotplug", "cpuHotRemoveEnabled": "cpu-hotplug", "memoryHotAddEnabled": "memory-hotplug",
    "sched.cpu.affinity": "cpu-affinity", "numa.nodeAffinity": "numa-affinity",
}  # fmt: skip
_PRODUCTS = (
    ("citrix", "xen"),
    ("xensource", "xen"),
    ("virtualbox.org", "virtualbox"),
    ("ovirt.org", "ovirt"),
    ("vmware.com/schema/ovf", "vmware"),
)
_OVIRT_FIRMWARE = {"1": "bios", "2": "bios", "3": "uefi", "4": "uefi"}
_OVIRT_NICS = {"1": "rtl8139", "2": "e1000", "3": "virtio"}
_OVIRT_BUSES = {"virtio": "virtio", "virtio_scsi": "scsi", "ide": "ide", "sata": "sata", "spapr_vscsi": "scsi"}
_POWER = re.compile(r"byte\*2\^(\d{1,2})")
_NAMED = {"kilobytes": 10, "megabytes": 20, "gigabytes": 30}


def ovf(where: str, data: bytes) -> Definition:
    """The first virtual system of an envelope; ImageError when there is none. The ``path`` of a disk is its href."""
    document = read_document(place_name(where), data)
    systems = [*everywhere(document.root, "VirtualSystem")]
    systems += [one for one in everywhere(document.root, "Content") if attribute(one, "type").endswith("VirtualSystem_Type")]
    if not systems:
        raise ImageError(f"{where}: no virtual system in it")
    return _Envelope(where, document, systems[0]).definition(len(systems))


class _Envelope:
    def __init__(self, where: str, document: Document, system: Element) -> None:
        self.where, self.document, self.root, self.system = where, document, document.root, system
        self.items = [one for one in system.iter() if local(one) in ("Item", "StorageItem", "EthernetPortItem")]
        configs = [one for one in system.iter() if local(one) in ("Config", "ExtraConfig")]
        self.config = {attribute(one, "key"): one for one in configs}
        self.machine = next(everywhere(system, "Machine"), None)

    def definition(self, systems: int) -> Definition:
        firmware, cpu = self.firmware(), list(self.of("3"))
        notes = () if systems == 1 else (f"{systems} virtual systems, only the first was read",)
        return Definition(
            source="ovf",
            where=self.where,
            name=text_of(self.system, "Name") or attribute(self.system, "id"),
            firmware=firmware,
            disks=tuple(self.disks()),
            nics=tuple(self.nics()),
            secure_boot=any(self.value(key).lower() == "true" for key in _SECURE) or text_of(self.system, "BiosType") == "4",
            tpm=self.tpm() is not None,
            memory_mib=sum(_memory(item) for item in self.of("4")),
            cpus=sum(_cpus(item) for item in cpu),
            os_hint=self.guest_os(),
            notes=notes,
            video=tuple(text_of(item, "ResourceSubType") for item in self.of("24")),
            media=tuple(self.media()),
            passthrough=tuple(self.passthrough()),
            snapshots=tuple(self.snapshots()),
            features=tuple(self.features()),
            product=self.product,
            path=self.document.path,
            places=self.places(cpu),
            content=self.document.text,
        )

    def of(self, kind: str) -> Iterator[Element]:
        return (item for item in self.items if text_of(item, "ResourceType") == kind)

    def value(self, key: str) -> str:
        return attribute(self.config.get(key), "value")

    def at(self, element: Element, name: str = "") -> Where:
        return self.document.at(element, name)

    def firmware(self) -> str:
        found = self.value("firmware") or attribute(next(everywhere(self.system, "Firmware"), None), "type")
        if not found and self.machine is not None:
            found = "BIOS"
        lowered = found.lower()
        known = "uefi" if lowered.startswith("efi") else lowered if lowered == "bios" else ""
        return known or _OVIRT_FIRMWARE.get(text_of(self.system, "BiosType"), "")

    @cached_property
    def product(self) -> str:
        text = self.document.text[:8192] + "".join(sorted({one.tag for one in self.root.iter()}))
        return next((product for mark, product in _PRODUCTS if mark in text), "")

    def tpm(self) -> Element | None:
        words = ("ResourceSubType", "ElementName", "Device")
        return next((item for item in self.items if "tpm" in " ".join(text_of(item, word) for word in words).lower()), None)

    def guest_os(self) -> str:
        section = next((one for one in self.system.iter() if attribute(one, "osType") or local(one) == "OperatingSystemSection"), None)
        return attribute(section, "osType") or text_of(section, "Description")

    def places(self, cpu: list[Element]) -> dict[str, Where]:
        secure = next((self.config[key] for key in _SECURE if key in self.config), child(self.system, "BiosType"))
        found = {
            "name": child(self.system, "Name"),
            "firmware": self.config.get("firmware", next(everywhere(self.system, "Firmware"), child(self.system, "BiosType"))),
            "secure_boot": secure,
            "tpm": self.tpm(),
            "cpus": cpu[0] if cpu else None,
            "memory_mib": next(self.of("4"), None),
            "product": self.root,
            "disks": next(everywhere(self.root, "DiskSection"), None),
        }
        return {name: self.at(element) for name, element in found.items() if element is not None}

    def disks(self) -> Iterator[DiskDevice]:
        known = {attribute(one, "diskId"): one for one in everywhere(self.root, "Disk")}
        controllers = {text_of(item, "InstanceID"): item for item in self.items if text_of(item, "ResourceType") in _CONTROLLERS}
        by_file = {attribute(one, "fileRef").rpartition("/")[2]: one for one in reversed(known.values())}
        used = list(self.of("17"))
        for item in used:
            name = text_of(item, "HostResource").rpartition("/")[2]
            disk = known.get(name, by_file.get(name))
            yield self.disk(item, disk, controllers.get(text_of(item, "Parent")))
        if not used:
            yield from (self.disk(disk, disk, None) for disk in known.values() if attribute(disk, "fileRef"))

    @cached_property
    def files(self) -> dict[str, Element]:
        found = {attribute(one, "id"): one for one in reversed([*everywhere(self.root, "File")])}
        return {name: element for name, element in found.items() if name}

    def disk(self, item: Element, disk: Element | None, controller: Element | None) -> DiskDevice:
        file = self.files.get(attribute(disk, "fileRef"))
        model = text_of(controller, "ResourceSubType")
        bus = "nvme" if "nvme" in model.lower() else _CONTROLLERS.get(text_of(controller, "ResourceType"), "")
        bus = bus or _OVIRT_BUSES.get(attribute(disk, "disk-interface").lower(), "")
        return DiskDevice(
            attribute(file, "href"), bus, model,
            capacity=_capacity(disk), chunk=number(attribute(file, "chunkSize")), target=text_of(item, "ElementName"),
            where=self.at(item) if file is None else self.at(file, "href"),
        )  # fmt: skip

    def nics(self) -> Iterator[NicDevice]:
        adapters = [one for one in everywhere(self.system, "Adapter") if attribute(one, "enabled") == "true"]
        for position, item in enumerate(self.of("10")):
            address = next((one for one in item if local(one) in ("Address", "MACAddress") and (one.text or "").strip()), None)
            mac = mac_address(address.text or "") if address is not None else ""
            if not mac and position < len(adapters):
                address, mac = adapters[position], mac_address(attribute(adapters[position], "MACAddress"))
            model = text_of(item, "ResourceSubType")
            model = _OVIRT_NICS.get(model, model) if self.product == "ovirt" else model
            where = self.at(item if address is None else address, "MACAddress")
            yield NicDevice(mac, model, text_of(item, "Connection"), where=where)

    def media(self) -> Iterator[Medium]:
        for item in self.items:
            if kind := _MEDIA.get(text_of(item, "ResourceType")):
                yield Medium(kind, text_of(item, "HostResource"), where=self.at(item))

    def passthrough(self) -> Iterator[Feature]:
        for item in self.items:
            words = f"{text_of(item, 'ResourceSubType')} {text_of(item, 'Device')} {text_of(item, 'Type')}".lower()
            if "passthrough" in words or "hostdev" in words or "sriov" in words:
                yield Feature("pci", text_of(item, "ElementName"), self.at(item))

    def snapshots(self) -> Iterator[Feature]:
        for one in self.system.iter():
            if local(one) == "Snapshot" or (
                local(one) == "Section" and attribute(one, "type").endswith("SnapshotsSection_Type") and len(one)
            ):
                yield Feature("snapshot", attribute(one, "name") or text_of(one, "Description"), self.at(one))

    def features(self) -> Iterator[Feature]:
        for key, kind in _SETTINGS.items():
            if (value := self.value(key)) and value.lower() not in ("false", "all"):
                yield Feature(kind, value, self.at(self.config[key]))
        for item in self.of("23"):
            yield Feature("usb-controller", text_of(item, "ResourceSubType"), self.at(item))
        for item in self.items:
            if "soundcard" in text_of(item, "ResourceSubType").lower():
                yield Feature("sound", text_of(item, "ResourceSubType"), self.at(item))


def _power(units: str) -> int | None:
    plain = units.lower().replace(" ", "")
    match = _POWER.fullmatch(plain)
    return int(match[1]) if match else _NAMED.get(plain)


def _memory(item: Element) -> int:
    power = _power(text_of(item, "AllocationUnits"))
    amount = number(text_of(item, "VirtualQuantity"))
    return amount << power >> 20 if power is not None else amount


def _cpus(item: Element) -> int:
    return number(text_of(item, "VirtualQuantity")) or number(text_of(item, "num_of_sockets")) * max(
        1, number(text_of(item, "cpu_per_socket"))
    )


def _capacity(disk: Element | None) -> int:
    stated = attribute(disk, "capacity")
    if not stated.strip().lstrip("-").isdecimal():
        return -1
    return number(stated) << (_power(attribute(disk, "capacityAllocationUnits")) or 0)
