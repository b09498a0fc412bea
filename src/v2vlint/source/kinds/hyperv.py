"""Hyper-V's exports: the binary .vmcx, and the XML used before Windows Server 2016. Both contain the same tree."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from xml.etree.ElementTree import Element

from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice, place_name
from v2vlint.model.errors import ImageError
from v2vlint.model.place import WholeFile
from v2vlint.model.source import GuestSource
from v2vlint.model.xml_document import MAX_XML, read_document
from v2vlint.source.hyperv_storage import MAX_VMCX, Tree, is_storage, read_storage
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Absent, Found, Nearby
from v2vlint.source.values import identifier, mac_address, number

# Classes of virtual devices: emulated controllers; then network card, TPM, passed-through PCI device, and the BIOS.
_IDE, _FLOPPY = "83f8638b-8dca-4152-9eda-2ca8b33039b4", "8f0d2762-0b00-4e04-af4f-19010527cb93"
_SYNTHETIC, _TPM, _DIRECT = (
    "2fc216b0-d2e2-4967-9b6d-b8a5c9ca2778", "736e6aa9-a3f8-49c0-9550-a963214d259a", "2fcc454e-a36a-4c77-bb5e-a2d75a51f02c",
)  # fmt: skip
_BIOS = "ac6b8dc1-3257-4a70-b1b2-a9c9215659ad"
_BUSES = {_IDE: "ide", _FLOPPY: "fdc"}
_PLACE = re.compile(r"(controller|drive)(\d{1,3})")
_MEDIA = {"iso": "cdrom", "dvd": "cdrom", "vfd": "floppy"}
# A checkpoint's differencing disk, which the machine goes on writing to.
_DELTA = (".avhdx", ".avhd")


def hyperv(where: str, data: bytes) -> Definition:
    """The machine of an exported configuration in either form; ImageError when it is not one. A disk's ``path`` is that on the source
    host.
    """
    tree = read_storage(where, data) if is_storage(data) else _from_xml(where, data)
    configuration = tree.get("configuration")
    if not isinstance(configuration, dict) or "properties" not in configuration:
        raise ImageError(f"{where}: not a machine of Hyper-V's")
    return _Machine(where, configuration).definition()


def _from_xml(where: str, data: bytes) -> Tree:
    root = read_document(place_name(where), data).root
    return {root.tag: _branch(root)}


def _branch(element: Element) -> object:
    """An element as a tree, or as the value of its type."""
    if len(element) or element.get("type") is None:
        return {one.tag: _branch(one) for one in element}
    text = (element.text or "").strip()
    if element.get("type") == "bool":
        return text.lower() == "true"
    return int(text) if element.get("type") == "integer" and re.fullmatch(r"-?\d{1,19}", text) else text


class _Machine:
    def __init__(self, where: str, tree: Tree) -> None:
        self.where, self.tree, self.place = where, tree, WholeFile(place_name(where))
        self.devices = dict(self._devices())

    def _devices(self) -> Iterator[tuple[str, str]]:
        """The type of every device by its instance."""
        for name, one in _map(self.tree, "manifest").items():
            if name.startswith("vdev") and isinstance(one, dict):
                yield identifier(_text(one, "instance")), identifier(_text(one, "device"))

    def parts(self) -> Iterator[tuple[str, Tree]]:
        """The branches of devices, each with the device's type; without a manifest, the name is the type."""
        for name, one in self.tree.items():
            instance = identifier(name.strip("_"))
            if instance and isinstance(one, dict):
                yield self.devices.get(instance, instance), one

    def definition(self) -> Definition:
        properties, settings = _map(self.tree, "properties"), _map(self.tree, "settings")
        # 0 is generation 1, and 1 is generation 2.
        second = _number(properties, "subtype") == 1
        bios = next((one for kind, one in self.parts() if kind == _BIOS or "bios_guid" in one), {})
        memory, processors = _map(_map(settings, "memory"), "bank"), _map(settings, "processors")
        return Definition(
            source="hyperv",
            where=self.where,
            name=_text(properties, "name"),
            firmware="uefi" if second else "bios",
            disks=tuple(self.disks()),
            nics=tuple(self.nics()),
            secure_boot=second and (bios.get("secure_boot_enabled") is True or _map(self.tree, "secure_boot").get("enabled") is True),
            tpm=_TPM in self.devices.values(),
            memory_mib=_number(memory, "size"),
            cpus=_number(processors, "count") or 1,
            machine=f"generation {2 if second else 1}",
            media=tuple(self.media()),
            passthrough=tuple(Feature("pci", "", self.place) for kind in self.devices.values() if kind == _DIRECT),
            snapshots=tuple(Feature("delta", disk.path, self.place) for disk in self.disks() if disk.path.lower().endswith(_DELTA)),
            features=tuple(self.features(memory)),
            product="hyperv",
            # The guest sees this one in SMBIOS; the machine's own identifier is known to Hyper-V alone.
            uuid=identifier(_text(bios, "bios_guid")),
            genid=identifier(_text(_map(_map(self.tree, "global_settings"), "devices"), "generation_id")),
            controllers=tuple(self.controllers()),
            path=self.place.path,
            places={"memory_mib": self.place} if _number(memory, "size") else {},
        )

    def controllers(self) -> Iterator[ControllerDevice]:
        for kind, one in self.parts():
            for name, _controller in _numbered(one, "controller"):
                if kind != _FLOPPY:
                    yield ControllerDevice(_BUSES.get(kind, "scsi"), "", name, self.place)

    def drives(self) -> Iterator[tuple[str, str, Tree]]:
        """The bus, slot and settings of every drive: IDE first, since a generation 1 machine starts from it."""
        parts = sorted(((kind, one) for kind, one in self.parts() if _numbered(one, "controller")), key=lambda one: one[0] != _IDE)
        for kind, one in parts:
            for controller, drives in _numbered(one, "controller"):
                for drive, settings in _numbered(drives, "drive"):
                    yield _BUSES.get(kind, "scsi"), f"{controller}:{drive}", settings

    def disks(self) -> Iterator[DiskDevice]:
        for bus, slot, settings in self.drives():
            kind, path = _text(settings, "type").lower(), _text(settings, "pathname")
            if kind in ("vhd", "physical", "passthrough") or (path and kind not in (*_MEDIA, "none")):
                mapped = "" if kind == "vhd" else "block"
                shared = settings.get("persistent_reservations_supported") is True
                yield DiskDevice(path, bus, "", "", f"{bus} {slot}", shared=shared, mapped=mapped, where=self.place)

    def media(self) -> Iterator[Medium]:
        for bus, _slot, settings in self.drives():
            if medium := _MEDIA.get(_text(settings, "type").lower()):
                yield Medium(medium, _text(settings, "pathname"), bus, self.place)

    def nics(self) -> Iterator[NicDevice]:
        for kind, one in self.parts():
            if "MacAddress" in one:
                connection = _map(one, "Connection")
                network = _text(connection, "AltSwitchName") or _text(one, "SwitchName")
                model = "netvsc" if kind == _SYNTHETIC or "VpciInstanceGuid" in one else "legacy"
                fixed = one.get("MacAddressIsStatic") is True
                yield NicDevice(mac_address(_text(one, "MacAddress")), model, network, "bridge", fixed, self.place)

    def features(self, memory: Tree) -> Iterator[Feature]:
        if memory.get("dynamic_memory_enabled") is True:
            yield Feature("memory-hotplug", "dynamic memory", self.place)
        if _text(_map(self.tree, "savedstate"), "type").lower() not in ("", "none") or _text(_map(self.tree, "savedstate"), "memlocation"):
            yield Feature("suspended", "saved state", self.place)


def _numbered(tree: Tree, what: str) -> list[tuple[str, Tree]]:
    found = [(int(match[2]), one) for name, one in tree.items() if (match := _PLACE.fullmatch(name)) and match[1] == what]
    return [(str(number), one) for number, one in sorted(found, key=lambda pair: pair[0]) if isinstance(one, dict)]


def _map(tree: Tree, key: str) -> Tree:
    value = tree.get(key)
    return value if isinstance(value, dict) else {}


def _text(tree: Tree, key: str) -> str:
    value = tree.get(key)
    return value.strip() if isinstance(value, str) else ""


def _number(tree: Tree, key: str) -> int:
    value = tree.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if 0 <= value < 1 << 40 else 0
    return number(value) if isinstance(value, str) else 0


def _locate(nearby: Nearby) -> GuestSource:
    definition = hyperv(nearby.where, nearby.read(nearby.where, MAX_XML if nearby.where.lower().endswith(".xml") else MAX_VMCX))
    return nearby.source(definition, lambda disk: _find(nearby, disk))


def _find(nearby: Nearby, disk: DiskDevice) -> Found:
    """A disk of an export: in its folder ``Virtual Hard Disks``, beside the configuration's folder."""
    name = re.split(r"[\\/]", disk.path)[-1]
    if disk.mapped or not name:
        return Absent(f"disk {disk.target} is a device of the host, not a file: not read")
    folders = ("", "Virtual Hard Disks", "../Virtual Hard Disks", "..")
    return nearby.found(name, *(os.path.normpath(os.path.join(nearby.folder, folder, name)) for folder in folders))  # noqa: PTH118


def _is_machine(head: bytes) -> bool:
    # Hyper-V itself writes UTF-16 with a byte order mark.
    text = head.decode("utf-16", "ignore") if head[:2] in (b"\xff\xfe", b"\xfe\xff") else head.decode("utf-8", "ignore")
    return bool(re.search(r"<configuration>\s*<(_[0-9a-fA-F]{8}-|properties|global_settings|manifest)", text))


KINDS = (
    DefinitionKind("hyperv", "a Hyper-V machine", (".vmcx",), _locate, listed=True, inside=("Virtual Machines/*.vmcx",)),
    DefinitionKind("hyperv-xml", "a Hyper-V machine", (".xml",), _locate, knows=_is_machine, inside=("Virtual Machines/*-*-*.xml",)),
)
