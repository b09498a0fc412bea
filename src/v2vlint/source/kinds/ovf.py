"""OVF envelopes (DMTF DSP0243) as written by VMware, VirtualBox, oVirt and Xen products."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from xml.etree.ElementTree import Element

from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice, Topology, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.place import Where
from v2vlint.model.source import GuestSource
from v2vlint.model.xml_document import MAX_XML, Document, attribute, child, everywhere, local, read_document, text_of
from v2vlint.source import package
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Nearby, whole
from v2vlint.source.ovf_hardware import Configurations, configurations, instance, items, properties, resolved
from v2vlint.source.values import identifier, mac_address, number

# The numbers are values of ResourceType in CIM_ResourceAllocationSettingData (DMTF's CIM schema), here and below.
_CONTROLLERS = {"5": "ide", "6": "scsi", "20": "sata"}
_OTHER_STORAGE = (("nvme", "nvme"), ("scsi", "scsi"), ("sas", "scsi"), ("lsilogic", "scsi"), ("virtio", "virtio"), ("ide", "ide"))
_DISKS = ("17", "31")
_PASSED_KEY = re.compile(r"pcipassthru\d{1,3}\.present")
_MEDIA = {"14": "floppy", "15": "cdrom", "16": "cdrom"}
_SECURE = ("bootoptions.efisecurebootenabled", "uefi.secureboot.enabled")
_SETTINGS = {
    "cpuhotaddenabled": "cpu-hotplug", "cpuhotremoveenabled": "cpu-hotplug", "memoryhotaddenabled": "memory-hotplug",
    "sched.cpu.affinity": "cpu-affinity", "numa.nodeaffinity": "numa-affinity", "disk.enableuuid": "disk-serials",
    "ctkenabled": "change-tracking", "changetrackingenabled": "change-tracking", "mks.enable3d": "3d-acceleration",
}  # fmt: skip
_PASSED = (
    ("vmware.pci.passthrough-vmiop", "vgpu"), ("vmware.pci.passthrough-dvx", "pci"), ("vmware.pci.passthrough", "pci"),
    ("sriov", "network card"), ("vmware.scsi.passthrough", "scsi"), ("hostdev", "pci"),
)  # fmt: skip
_DEVICES = frozenset({"", "1", "2", "10", "24", "31"})
"""Types of resources that a passed-through device may be of: a drive of the host's for removable media is none."""
_PRODUCTS = (
    ("citrix", "xen"),
    ("xensource", "xen"),
    ("virtualbox.org", "virtualbox"),
    ("nutanix", "nutanix"),
    ("ovirt.org", "ovirt"),
    ("vmware.com/schema/ovf", "vmware"),
)
# BiosType of ovirt-engine: I440FX_SEA_BIOS, Q35_SEA_BIOS, Q35_OVMF, Q35_SECURE_BOOT.
_OVIRT_FIRMWARE = {"1": "bios", "2": "bios", "3": "uefi", "4": "uefi"}
# VmInterfaceType of ovirt-engine.
_OVIRT_NICS = {"1": "rtl8139", "2": "e1000", "3": "virtio"}
_OVIRT_BUSES = {"virtio": "virtio", "virtio_scsi": "scsi", "ide": "ide", "sata": "sata", "spapr_vscsi": "scsi"}
_POWER = re.compile(r"byte\*2\^(\d{1,2})")
_NAMED = {"kilobytes": 10, "megabytes": 20, "gigabytes": 30}


def ovf(where: str, data: bytes, configuration: str = "") -> Definition:
    """The first virtual system of an envelope, in its default configuration or the given one.

    ImageError when there is none. The ``path`` of a disk is its href.
    """
    document = read_document(place_name(where), data)
    systems = [*everywhere(document.root, "VirtualSystem")]
    # oVirt writes the virtual system as a Content of that type.
    systems += [one for one in everywhere(document.root, "Content") if attribute(one, "type").endswith("VirtualSystem_Type")]
    if not systems:
        raise ImageError(f"{where}: no virtual system in it")
    offered = configurations(where, document.root, configuration)
    return _Envelope(where, document, systems, offered).definition()


class _Envelope:
    def __init__(self, where: str, document: Document, systems: list[Element], offered: Configurations) -> None:
        self.where, self.document, self.root, self.offered = where, document, document.root, offered
        system, *self.further = systems
        self.system = system
        self.items = items(system, offered)
        configs = [one for one in system.iter() if local(one) in ("Config", "ExtraConfig") and offered.include(one)]
        self.config = {attribute(one, "key").lower(): one for one in configs}
        self.machine = next(everywhere(system, "Machine"), None)

    def definition(self) -> Definition:
        firmware, cpu = self.firmware(), list(self.of("3"))
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
            video=tuple(text_of(item, "ResourceSubType") for item in self.of("24")),
            media=tuple(self.media()),
            passthrough=tuple(self.passthrough()),
            snapshots=tuple(self.snapshots()),
            features=tuple(self.features()),
            product=self.product,
            uuid=identifier(attribute(self.machine, "uuid") or self.value("uuid.bios")),
            topology=_topology(cpu[0]) if cpu else Topology(),
            controllers=tuple(self.controllers()),
            configuration=self.offered.chosen,
            configurations=self.offered.names,
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
        # VirtualBox, whose element Machine this is, leaves out a BIOS as the default.
        if not found and self.machine is not None:
            found = "BIOS"
        lowered = found.lower()
        known = "uefi" if lowered.startswith("efi") else lowered if lowered == "bios" else ""
        return known or _OVIRT_FIRMWARE.get(text_of(self.system, "BiosType"), "")

    @cached_property
    def product(self) -> str:
        # A tag contains its namespace.
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
        controllers = {instance(item): item for item in self.items if text_of(item, "ResourceType") in _CONTROLLERS}
        # Reversed, so that the first of several stays.
        by_file = {attribute(one, "fileRef").rpartition("/")[2]: one for one in reversed(known.values())}
        used = [item for item in self.items if text_of(item, "ResourceType") in _DISKS]
        for item in used:
            name = text_of(item, "HostResource").rpartition("/")[2]
            disk = known.get(name, by_file.get(name)) if name else None
            yield self.disk(item, disk, controllers.get(text_of(item, "Parent")), name)
        if not used:
            yield from (self.disk(disk, disk, None) for disk in known.values() if attribute(disk, "fileRef"))

    def controllers(self) -> Iterator[ControllerDevice]:
        for item in self.items:
            if text_of(item, "ResourceType") in _CONTROLLERS:
                yield ControllerDevice(_bus(item), text_of(item, "ResourceSubType"), text_of(item, "ElementName"), self.at(item))

    @cached_property
    def properties(self) -> dict[str, str]:
        return properties(self.root, self.offered)

    @cached_property
    def files(self) -> dict[str, Element]:
        found = {attribute(one, "id"): one for one in reversed([*everywhere(self.root, "File")])}
        return {name: element for name, element in found.items() if name}

    def disk(self, item: Element, disk: Element | None, controller: Element | None, name: str = "") -> DiskDevice:
        """A disk from its item, its entry in the DiskSection, and its controller; ``name`` is what the item refers to."""
        reference = attribute(disk, "fileRef") if disk is not None else name
        file = self.files.get(reference)
        interface = attribute(disk, "disk-interface").lower()
        return DiskDevice(
            attribute(file, "href"), _bus(controller) or _OVIRT_BUSES.get(interface, ""), text_of(controller, "ResourceSubType"),
            capacity=self.capacity(item, disk), chunk=number(attribute(file, "chunkSize")), target=text_of(item, "ElementName"),
            blank=not reference, where=self.at(item) if file is None else self.at(file, "href"),
        )  # fmt: skip

    def capacity(self, item: Element, disk: Element | None) -> int:
        """The capacity according to the DiskSection; for a disk without an entry there, according to its item (vCloud's are in MiB)."""
        if disk is not None:
            return _amount(resolved(attribute(disk, "capacity"), self.properties), attribute(disk, "capacityAllocationUnits"), 0)
        resource = child(item, "HostResource")
        if stated := attribute(resource, "capacity"):
            return _amount(stated, "", 20)
        return _amount(text_of(item, "VirtualQuantity"), text_of(item, "VirtualQuantityUnits") or text_of(item, "AllocationUnits"), 0)

    def nics(self) -> Iterator[NicDevice]:
        adapters = [one for one in everywhere(self.system, "Adapter") if attribute(one, "enabled") == "true"]
        for position, item in enumerate(self.of("10")):
            address = next((one for one in item if local(one) in ("Address", "MACAddress") and (one.text or "").strip()), None)
            mac = mac_address(address.text or "") if address is not None else ""
            # VirtualBox has the addresses in its own element, in the order of the cards.
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
            kind = next((kind for mark, kind in _PASSED if mark in words), "")
            if kind and text_of(item, "ResourceType") in _DEVICES:
                yield Feature(kind, text_of(item, "ElementName"), self.at(item))
        for key, element in self.config.items():
            if _PASSED_KEY.fullmatch(key) and attribute(element, "value").lower() == "true":
                yield Feature("pci", key.partition(".")[0], self.at(element))

    def snapshots(self) -> Iterator[Feature]:
        for one in self.system.iter():
            if local(one) == "Snapshot" or (
                local(one) == "Section" and attribute(one, "type").endswith("SnapshotsSection_Type") and len(one)
            ):
                yield Feature("snapshot", attribute(one, "name") or text_of(one, "Description"), self.at(one))

    def features(self) -> Iterator[Feature]:
        yield from (Feature("further-system", attribute(one, "id"), self.at(one)) for one in self.further)
        section = next(everywhere(self.root, "DeploymentOptionSection"), None)
        if section is not None and len(self.offered.names) > 1:
            others = ", ".join(name for name in self.offered.names if name != self.offered.chosen)
            yield Feature("configuration", f"{self.offered.chosen} of: {self.offered.chosen}, {others}", self.at(section))
        for key, kind in _SETTINGS.items():
            # An affinity of "all" is none.
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


def _topology(item: Element) -> Topology:
    """VMware states the cores per socket, oVirt all three numbers."""
    total, cores = _cpus(item), number(text_of(item, "CoresPerSocket")) or number(text_of(item, "cpu_per_socket"))
    sockets = number(text_of(item, "num_of_sockets")) or (total // cores if cores and total % cores == 0 else 0)
    return Topology(sockets, cores, number(text_of(item, "threads_per_cpu"))) if sockets and cores else Topology()


def _bus(controller: Element | None) -> str:
    """The bus of a controller; for an "other storage device", according to its model."""
    kind, model = text_of(controller, "ResourceType"), text_of(controller, "ResourceSubType").lower()
    if kind == "20":
        return next((bus for mark, bus in _OTHER_STORAGE if mark in model), "sata")
    return _CONTROLLERS.get(kind, "")


def _amount(stated: str, units: str, power: int) -> int:
    if not stated.strip().lstrip("-").isdecimal():
        return -1
    found = _power(units)
    return number(stated) << (power if found is None else found)


_IMAGES = (".vmdk", ".vhd", ".vhdx", ".img", ".raw", ".qcow2", ".vdi", ".gz")


def _folder(nearby: Nearby) -> GuestSource:
    definition = ovf(nearby.where, nearby.read(nearby.where, MAX_XML), nearby.ref.configuration)
    source = nearby.source(definition, lambda disk: package.beside(nearby, disk))
    return package.verified(nearby, source)


def _archive(nearby: Nearby) -> GuestSource:
    path = nearby.where
    members = package.members_of(path, nearby.files)
    envelope = next((one for one in members if one.name.lower().endswith(".ovf")), None)
    if envelope is None:
        disks = tuple(replace(one, siblings=members) for one in members if one.name.lower().endswith(_IMAGES))
        return GuestSource(nearby.ref.name, disks, remarks=("no OVF descriptor in it",))
    definition = ovf(f"{path}:{envelope.name}", whole(envelope, MAX_XML, nearby.files), nearby.ref.configuration)
    definition = replace(definition, path=f"{place_name(path)}:{envelope.name}")
    by_name = {one.name: one for one in members}
    source = nearby.source(definition, lambda disk: package.inside(nearby, envelope, disk, by_name))
    source = replace(source, disks=tuple(replace(one, siblings=members) for one in source.disks))
    return package.verified_inside(nearby, source, members, envelope.name)


KINDS = (
    DefinitionKind("ovf", "an OVF descriptor", (".ovf",), _folder, listed=True, disks=(".vmdk",)),
    DefinitionKind("ova", "an OVF package in an archive", (".ova",), _archive, listed=True),
)
