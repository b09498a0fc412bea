"""XML definitions of machines: OVF envelopes (DSP0243) and libvirt domains (libvirt.org/formatdomain.html)."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from v2vlint.model.definition import Definition, DiskDevice, NicDevice
from v2vlint.model.errors import ImageError

MAX_XML = 8 << 20
_CONTROLLERS = {"5": "ide", "6": "scsi", "20": "sata"}
_UNITS = {"b": 1, "bytes": 1, "kb": 1000, "k": 1024, "kib": 1024, "mb": 1000**2, "m": 1 << 20, "mib": 1 << 20, "gb": 1000**3, "g": 1 << 30,
          "gib": 1 << 30}  # fmt: skip


def parse_xml(where: str, data: bytes | str) -> Element:
    """The root element; ImageError when it is no XML, too large, or has a DTD (which could expand without bound)."""
    raw = data.encode() if isinstance(data, str) else data
    if len(raw) > MAX_XML or b"<!DOCTYPE" in raw or b"<!ENTITY" in raw:
        raise ImageError(f"{where}: XML that is too large or has a document type")
    try:
        return ElementTree.fromstring(raw)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ImageError(f"{where}: not valid XML: {error}") from error


def ovf(where: str, data: bytes) -> Definition:
    """The first virtual system of an OVF envelope. The ``path`` of a disk is its href."""
    root = parse_xml(where, data)
    systems = list(_all(root, "VirtualSystem"))
    if not systems:
        raise ImageError(f"{where}: no virtual system in it")
    system, items = systems[0], list(_all(systems[0], "Item"))
    items += [*_all(system, "StorageItem"), *_all(system, "EthernetPortItem")]
    config = {_attr(one, "key"): _attr(one, "value") for one in (*_all(system, "Config"), *_all(system, "ExtraConfig"))}
    firmware = config.get("firmware") or _vbox_firmware(system)
    notes = [] if len(systems) == 1 else [f"{len(systems)} virtual systems, only the first was read"]
    return Definition(
        source="ovf",
        where=where,
        name=_text(system, "Name") or _attr(system, "id"),
        firmware="uefi" if firmware.lower().startswith("efi") else "bios" if firmware else "",
        disks=tuple(_ovf_disks(root, items)),
        nics=tuple(
            NicDevice(_mac(_text(item, "Address")), _text(item, "ResourceSubType"), _text(item, "Connection"))
            for item in items
            if _text(item, "ResourceType") == "10"
        ),
        secure_boot=any(config.get(key, "").lower() == "true" for key in _SECURE),
        tpm="tpm" in "".join(_text(item, "ResourceSubType") + _text(item, "ElementName") for item in items).lower(),
        memory_mib=sum(_ovf_memory(item) for item in items if _text(item, "ResourceType") == "4"),
        cpus=sum(_number(_text(item, "VirtualQuantity")) for item in items if _text(item, "ResourceType") == "3"),
        os_hint=_ovf_os(system),
        notes=tuple(notes),
    )


_SECURE = ("bootOptions.efiSecureBootEnabled", "uefi.secureBoot.enabled")


def _ovf_disks(root: Element, items: list[Element]) -> Iterator[DiskDevice]:
    files = {_attr(one, "id"): one for one in _all(root, "File")}
    disks = {_attr(one, "diskId"): one for one in _all(root, "Disk")}
    buses = {_text(item, "InstanceID"): item for item in items if _text(item, "ResourceType") in _CONTROLLERS}
    used = [item for item in items if _text(item, "ResourceType") == "17"]
    for item in used:
        disk = disks.get(_text(item, "HostResource").rpartition("/")[2])
        href = _attr(files[_attr(disk, "fileRef")], "href") if disk is not None and _attr(disk, "fileRef") in files else ""
        controller = buses.get(_text(item, "Parent"))
        bus = "" if controller is None else _CONTROLLERS[_text(controller, "ResourceType")]
        model = "" if controller is None else _text(controller, "ResourceSubType")
        bus = "nvme" if "nvme" in model.lower() else bus
        yield DiskDevice(href, bus, model)
    if not used:
        for disk in disks.values():
            if _attr(disk, "fileRef") in files:
                yield DiskDevice(_attr(files[_attr(disk, "fileRef")], "href"))


def _vbox_firmware(system: Element) -> str:
    machine = next(_all(system, "Machine"), None)
    if machine is None:
        return ""
    firmware = next(_all(machine, "Firmware"), None)
    return _attr(firmware, "type") if firmware is not None else "BIOS"


def _ovf_memory(item: Element) -> int:
    units = _text(item, "AllocationUnits").lower().replace(" ", "")
    amount = _number(_text(item, "VirtualQuantity"))
    if "2^30" in units or units.startswith("giga"):
        return amount << 10
    return amount >> 10 if "2^10" in units else amount


def _ovf_os(system: Element) -> str:
    section = next(_all(system, "OperatingSystemSection"), None)
    return "" if section is None else _attr(section, "osType") or _text(section, "Description")


def domain(where: str, data: bytes | str) -> Definition:
    """A libvirt domain. The ``path`` of a disk is empty when it is not a local file or device, and a note says so."""
    root = parse_xml(where, data)
    if root.tag == "domstatus":
        root = next(_all(root, "domain"), root)
    if root.tag != "domain":
        raise ImageError(f"{where}: not a libvirt domain")
    loader = root.find("os/loader")
    system = root.find("os")
    uefi = (system is not None and system.get("firmware") == "efi") or (loader is not None and loader.get("type") == "pflash")
    notes: list[str] = []
    disks = tuple(_domain_disks(root, notes))
    notes += [f"passed-through {one.get('type', '')} device".replace("  ", " ") for one in root.iterfind("devices/hostdev")]
    secure = loader is not None and loader.get("secure") == "yes"
    features = {one.get("name"): one.get("enabled") for one in root.iterfind("os/firmware/feature")}
    memory = root.find("memory")
    return Definition(
        source="libvirt",
        where=where,
        name=(root.findtext("name") or "").strip(),
        firmware="uefi" if uefi else "bios",
        disks=disks,
        nics=tuple(_domain_nic(one) for one in root.iterfind("devices/interface")),
        secure_boot=secure or features.get("secure-boot") == "yes",
        tpm=root.find("devices/tpm") is not None,
        memory_mib=0 if memory is None else _number(memory.text or "") * _UNITS.get((memory.get("unit") or "kib").lower(), 1024) >> 20,
        cpus=_number(root.findtext("vcpu") or ""),
        os_hint=next((one.get("id", "") for one in root.iter() if one.tag.endswith("}os") and one.get("id")), ""),
        notes=tuple(notes),
    )


def _domain_disks(root: Element, notes: list[str]) -> Iterator[DiskDevice]:
    models = {one.get("index", "0"): one.get("model", "") for one in root.iterfind("devices/controller") if one.get("type") == "scsi"}
    for disk in root.iterfind("devices/disk"):
        if disk.get("device", "disk") not in ("disk", "lun"):
            continue
        source, driver, target, address = (disk.find(name) for name in ("source", "driver", "target", "address"))
        attributes = {} if source is None else source.attrib
        path = attributes.get("file") or attributes.get("dev") or ""
        name = "" if target is None else target.get("dev", "")
        if not path:
            notes.append(f"disk {name}: not a local file ({disk.get('type')} {attributes.get('protocol') or attributes.get('pool') or ''})")
        bus = "" if target is None else target.get("bus", "")
        model = models.get("0" if address is None else address.get("controller", "0"), "") if bus == "scsi" else ""
        yield DiskDevice(path, bus, model, "" if driver is None else driver.get("type", ""), name)


def _domain_nic(interface: Element) -> NicDevice:
    mac, model, source = (interface.find(name) for name in ("mac", "model", "source"))
    attributes = {} if source is None else source.attrib
    network = next((attributes[key] for key in ("network", "bridge", "dev") if key in attributes), "")
    return NicDevice(_mac("" if mac is None else mac.get("address", "")), "" if model is None else model.get("type", ""), network)


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _all(element: Element, name: str) -> Iterator[Element]:
    return (one for one in element.iter() if _local(str(one.tag)) == name)


def _text(element: Element, name: str) -> str:
    return next(((one.text or "").strip() for one in element if _local(str(one.tag)) == name), "")


def _attr(element: Element, name: str) -> str:
    return next((value for key, value in element.attrib.items() if _local(key) == name), "")


def _number(text: str) -> int:
    return int(text.strip()) if text.strip().isdecimal() and len(text) < 16 else 0


def _mac(text: str) -> str:
    plain = text.strip().lower().replace("-", ":")
    if len(plain) == 12 and ":" not in plain:
        plain = ":".join(plain[at : at + 2] for at in range(0, 12, 2))
    return plain if plain.count(":") == 5 else ""
