"""libvirt domains (libvirt.org/formatdomain.html): from XML to a definition."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from xml.etree.ElementTree import Element

from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice, Topology, place_name
from v2vlint.model.digits import decimal
from v2vlint.model.domain_disks import disk_bus, in_order
from v2vlint.model.errors import ImageError
from v2vlint.model.place import Where
from v2vlint.model.source import GuestSource
from v2vlint.model.units import LIBVIRT
from v2vlint.model.xml_document import MAX_XML, Document, everywhere, read_document
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Nearby
from v2vlint.source.values import identifier, mac_address, number

_ALWAYS_512 = ("ide", "sata", "fdc")
"""QEMU refuses other sectors on them."""
_KEYLESS = re.compile(r"OVMF_VARS(_4M)?\.fd$")
"""Variable stores of distributions that come without keys; those with keys are called otherwise (``secboot``, ``ms``)."""
_PINNED = ("vcpupin", "emulatorpin", "iothreadpin", "vcpusched", "iothreadsched", "emulatorsched", "cachetune")
_SHARES = ("shares", "period", "quota", "global_period", "global_quota", "emulator_period", "emulator_quota")
_DEVICES = {
    "watchdog": "watchdog", "sound": "sound", "parallel": "parallel-port", "smartcard": "smartcard", "shmem": "shared-memory",
    "filesystem": "shared-folder", "redirdev": "usb-redirection", "panic": "panic-device",
}  # fmt: skip


def domain(where: str, data: bytes | str) -> Definition:
    """A libvirt domain. The ``path`` of a disk that is not a local file or device is empty, with a note."""
    document = read_document(place_name(where), data)
    root = document.root
    # libvirt's own files in /run wrap the domain with its state.
    if root.tag == "domstatus":
        root = next(everywhere(root, "domain"), root)
    if root.tag != "domain":
        raise ImageError(f"{where}: not a libvirt domain")
    return _Domain(where, document, root).definition()


class _Domain:
    def __init__(self, where: str, document: Document, root: Element) -> None:
        self.where, self.document, self.root = where, document, root
        self.notes: list[str] = []

    def definition(self) -> Definition:
        root, cpu = self.root, self.root.find("cpu")
        disks = tuple(self.disks())
        return Definition(
            source="libvirt",
            where=self.where,
            name=(root.findtext("name") or "").strip(),
            firmware="uefi" if self.uefi() else "bios",
            disks=disks,
            nics=tuple(self.nic(one) for one in root.iterfind("devices/interface")),
            secure_boot=self.secure_boot(),
            tpm=root.find("devices/tpm") is not None,
            memory_mib=self.memory(),
            cpus=number(root.findtext("vcpu") or "") or 1,
            # libosinfo's metadata, as virt-manager writes it.
            os_hint=next((one.get("id", "") for one in root.iter() if one.tag.endswith("}os") and one.get("id")), ""),
            machine=_get(root.find("os/type"), "machine"),
            # A model without a mode is a custom one.
            cpu_mode="" if cpu is None else cpu.get("mode", "custom" if cpu.find("model") is not None else ""),
            cpu_model="" if cpu is None else (cpu.findtext("model") or "").strip(),
            video=tuple(_get(one.find("model"), "type") for one in root.iterfind("devices/video")),
            media=tuple(self.media()),
            passthrough=tuple(self.passthrough()),
            features=tuple(self.features()),
            notes=tuple(self.notes),
            product="xen" if root.get("type") == "xen" else "libvirt",
            uuid=identifier(root.findtext("uuid") or ""),
            genid=identifier(root.findtext("genid") or ""),
            arch=_get(root.find("os/type"), "arch"),
            topology=self.topology(),
            controllers=tuple(self.controllers()),
            path=self.document.path,
            places=self.places(),
            content=self.document.text,
        )

    def uefi(self) -> bool:
        # A loader of type "rom" is a BIOS.
        return _get(self.root.find("os"), "firmware") == "efi" or _get(self.root.find("os/loader"), "type") == "pflash"

    def secure_boot(self) -> bool:
        """Whether Secure Boot is enforced, which takes keys in the firmware: without keys it is in setup mode and starts everything."""
        features = {one.get("name"): one.get("enabled") for one in self.root.iterfind("os/firmware/feature")}
        if enrolled := features.get("enrolled-keys"):
            return enrolled == "yes"
        if _KEYLESS.search(_get(self.root.find("os/nvram"), "template")):
            return False
        return _get(self.root.find("os/loader"), "secure") == "yes" or features.get("secure-boot") == "yes"

    def memory(self) -> int:
        """The memory in MiB; if it is not stated, that of the NUMA cells."""
        memory = self.root.find("memory")
        if memory is not None:
            return _bytes(memory.text or "", memory.get("unit")) >> 20
        return sum(_bytes(cell.get("memory", ""), cell.get("unit")) for cell in self.root.iterfind("cpu/numa/cell")) >> 20

    def at(self, element: Element, attribute: str = "") -> Where:
        return self.document.at(element, attribute)

    def places(self) -> dict[str, Where]:
        paths = {
            "name": "name", "firmware": "os", "secure_boot": "os/loader", "tpm": "devices/tpm", "memory_mib": "memory", "cpus": "vcpu",
            "machine": "os/type", "cpu_mode": "cpu", "cpu_model": "cpu/model", "video": "devices/video/model",
        }  # fmt: skip
        found = ((name, self.root.find(path)) for name, path in paths.items())
        places = {name: self.at(element) for name, element in found if element is not None}
        features = [self.root.find(f"os/firmware/feature[@name='{name}']") for name in ("enrolled-keys", "secure-boot")]
        feature = next((one for one in features if one is not None), None)
        return places if feature is None else {**places, "secure_boot": self.at(feature)}

    def disks(self) -> Iterator[DiskDevice]:
        for disk in in_order(self.root.iterfind("devices/disk")):
            if disk.get("device", "disk") in ("disk", "lun"):
                yield self.disk(disk)

    def disk(self, disk: Element) -> DiskDevice:
        source, driver, target = (disk.find(name) for name in ("source", "driver", "target"))
        path = _get(source, "file") or _get(source, "dev")
        name, bus = _get(target, "dev"), disk_bus(disk)
        backing = "" if path else f"{disk.get('type')} {_get(source, 'protocol') or _get(source, 'pool')}".strip()
        if backing:
            self.notes.append(f"disk {name}: not a local file ({backing})")
        return DiskDevice(
            path, bus, self.controller(disk, bus), _get(driver, "type"), name,
            shared=disk.find("shareable") is not None,
            mode="transient" if disk.find("transient") is not None else "",
            mapped="lun" if disk.get("device") == "lun" else "block" if disk.get("type") == "block" else "",
            backing=backing,
            sector=0 if bus in _ALWAYS_512 else number(_get(disk.find("blockio"), "logical_block_size")),
            where=self.at(disk if source is None else source),
        )  # fmt: skip

    def controller(self, disk: Element, bus: str) -> str:
        if bus != "scsi":
            return ""
        return self.scsi_models.get(_get(disk.find("address"), "controller") or "0", "")

    @cached_property
    def scsi_models(self) -> dict[str, str]:
        return {one.get("index", "0"): one.get("model", "") for one in self.root.iterfind("devices/controller[@type='scsi']")}

    def controllers(self) -> Iterator[ControllerDevice]:
        for one in self.root.iterfind("devices/controller"):
            if one.get("type") in ("scsi", "sata", "ide", "nvme"):
                yield ControllerDevice(one.get("type", ""), one.get("model", ""), one.get("index", "0"), self.at(one))

    def topology(self) -> Topology:
        found = self.root.find("cpu/topology")
        dies = max(1, number(_get(found, "dies"))) * max(1, number(_get(found, "clusters")))
        return Topology(*(number(_get(found, name)) * (dies if name == "sockets" else 1) for name in ("sockets", "cores", "threads")))

    def nic(self, interface: Element) -> NicDevice:
        mac, model, source = (interface.find(name) for name in ("mac", "model", "source"))
        network = next((_get(source, key) for key in ("network", "bridge", "dev") if _get(source, key)), "")
        address = mac_address(_get(mac, "address"))
        where = self.at(interface) if mac is None else self.at(mac, "address")
        return NicDevice(address, _get(model, "type"), network, interface.get("type", ""), where=where)

    def media(self) -> Iterator[Medium]:
        for disk in self.root.iterfind("devices/disk"):
            if (kind := disk.get("device", "disk")) in ("cdrom", "floppy"):
                source = disk.find("source")
                path = _get(source, "file") or _get(source, "dev") or _get(source, "name")
                yield Medium(kind, path, disk_bus(disk), self.at(disk if source is None else source))

    def passthrough(self) -> Iterator[Feature]:
        for device in self.root.iterfind("devices/hostdev"):
            kind = device.get("type", "") if device.get("mode") != "capabilities" else f"{device.get('type', '')} capability"
            yield Feature(kind, _host_address(device), self.at(device))
        for interface in self.root.iterfind("devices/interface"):
            if interface.get("type") in ("hostdev", "vdpa"):
                yield Feature("network card", _host_address(interface), self.at(interface))

    def features(self) -> Iterator[Feature]:
        devices = self.root.find("devices")
        for device in () if devices is None else devices:
            if device.tag in _DEVICES:
                yield Feature(_DEVICES[device.tag], device.get("model", ""), self.at(device))
        yield from self.tuning()
        yield from self.ignored()
        for graphics in self.root.iterfind("devices/graphics[@type='spice']"):
            yield Feature("spice", "", self.at(graphics))
        for name, kind in (("bandwidth", "nic-qos"), ("filterref", "nic-filter")):
            for one in self.root.iterfind(f"devices/interface/{name}"):
                yield Feature(kind, one.get("filter", ""), self.at(one))
        own = (one for one in self.root if one.tag.endswith("}commandline"))
        yield from (Feature("qemu-arguments", "", self.at(one)) for one in own)

    def ignored(self) -> Iterator[Feature]:
        yield from self.boot_disk()
        for disk in self.root.iterfind("devices/disk"):
            # virt-v2v selects /domain/devices/disk[@device='disk'].
            if disk.get("device") in (None, "lun"):
                reason = "a device of the host's (lun)" if disk.get("device") else "no device attribute"
                yield Feature("ignored-disk", f"{_get(disk.find('target'), 'dev')}: {reason}", self.at(disk))

    def boot_disk(self) -> Iterator[Feature]:
        """The disk that the firmware starts where that is not the first one."""
        disks = [disk for disk in in_order(self.root.iterfind("devices/disk")) if disk.get("device", "disk") in ("disk", "lun")]
        ordered = [disk for disk in disks if _get(disk.find("boot"), "order").isdecimal()]
        first = min(ordered, key=lambda disk: decimal(_get(disk.find("boot"), "order")), default=None)
        if first is not None and first is not disks[0]:
            yield Feature("boot-disk", _get(first.find("target"), "dev"), self.at(first if (at := first.find("boot")) is None else at))

    def tuning(self) -> Iterator[Feature]:
        for one in self.root.iterfind("cputune/*"):
            if one.tag in (*_PINNED, *_SHARES):
                yield Feature("cpu-affinity" if one.tag in _PINNED else "cpu-shares", one.tag, self.at(one))
        if (vcpu := self.root.find("vcpu")) is not None and vcpu.get("cpuset"):
            yield Feature("cpu-affinity", vcpu.get("cpuset", ""), self.at(vcpu, "cpuset"))
        if vcpu is not None and vcpu.get("current"):
            yield Feature("cpu-hotplug", vcpu.get("current", ""), self.at(vcpu, "current"))
        paths = {
            "numatune": "numa-affinity", "cpu/numa": "numa-topology", "iothreads": "iothreads", "maxMemory": "memory-hotplug",
            "memoryBacking/hugepages": "huge-pages", "launchSecurity": "memory-encryption", "os/bootmenu": "boot-menu",
            "os/kernel": "direct-kernel",
        }  # fmt: skip
        for path, kind in paths.items():
            found = self.root.find(path)
            if found is not None and found.get("enable") != "no":
                yield Feature(kind, (found.text or "").strip(), self.at(found))


def _bytes(text: str, unit: str | None) -> int:
    return number(text) * LIBVIRT.get((unit or "kib").lower(), 1024)


def _get(element: Element | None, name: str) -> str:
    return "" if element is None else element.get(name, "")


def _host_address(device: Element) -> str:
    address = device.find("source/address")
    if address is None:
        return ""
    return ":".join(
        value.removeprefix("0x") for key, value in address.attrib.items() if key in ("domain", "bus", "slot", "function", "uuid")
    )


def _locate(nearby: Nearby) -> GuestSource:
    ref = nearby.ref
    definition = domain(nearby.where, ref.text or nearby.read(nearby.where, MAX_XML))
    taken = tuple(Feature("snapshot", name, definition.at("name")) for name in ref.snapshots)
    saved = (Feature("suspended", "managed save", definition.at("name")),) if ref.saved else ()
    definition = replace(definition, running=ref.state, snapshots=taken, features=(*definition.features, *saved))
    volumes = dict(ref.volumes)
    return nearby.source(definition, lambda disk: nearby.local(disk, volumes.get(disk.target, "")))


_ROOT = re.compile(rb"<(domain|domstatus)[\s>]")

KINDS = (
    DefinitionKind(
        "libvirt",
        "a libvirt domain",
        (".xml",),
        _locate,
        # In UTF-16, zero bytes lie between the letters.
        knows=lambda head: bool(_ROOT.search(head.replace(b"\0", b""))),
    ),
)
