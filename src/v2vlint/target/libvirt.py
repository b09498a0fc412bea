"""A libvirt domain as the target: the hardware its XML describes (libvirt.org/formatdomain.html). The file is the user's own."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeVar
from xml.etree.ElementTree import Element

from v2vlint.model.arm_level import BASE, arm_level
from v2vlint.model.digits import decimal
from v2vlint.model.domain_disks import disk_bus, in_order
from v2vlint.model.errors import UsageError
from v2vlint.model.mac import all_macs
from v2vlint.model.target import Controller, Display, Firmware, Hardware, Nic, SecureBoot, Target
from v2vlint.model.units import LIBVIRT
from v2vlint.model.xml_document import read_document
from v2vlint.target.boards import domain_board
from v2vlint.target.shipped import shipped_profile

T = TypeVar("T")
Part = TypeVar("Part", Controller, Nic)

_SCSI = {
    "virtio-scsi": ("virtio_scsi", "virtio_pci"), "virtio-transitional": ("virtio_scsi", "virtio_pci"),
    "virtio-non-transitional": ("virtio_scsi", "virtio_pci"), "lsilogic": ("sym53c8xx",), "vmpvscsi": ("vmw_pvscsi",),
    "lsisas1068": ("mptsas",), "lsisas1078": ("megaraid_sas",), "buslogic": ("BusLogic",), "": ("sym53c8xx",), "auto": ("sym53c8xx",),
}  # fmt: skip
_QEMU_SCSI = {"lsilogic": "lsi53c895a", "vmpvscsi": "pvscsi", "lsisas1068": "mptsas1068", "lsisas1078": "megasas"}
_NICS = {
    "virtio": (("virtio_net", "virtio_pci"),), "e1000": (("e1000",),), "e1000e": (("e1000e",),), "igb": (("igb",),),
    "rtl8139": (("8139cp",), ("8139too",)), "vmxnet3": (("vmxnet3",),), "ne2k_pci": (("ne2k_pci",),), "pcnet": (("pcnet32",),),
    "netfront": (("xen_netfront",),),
}  # fmt: skip
_VIDEO = {
    "virtio": ("virtio_gpu",), "vga": ("bochs", "bochs_drm"), "bochs": ("bochs", "bochs_drm"), "cirrus": ("cirrus",), "qxl": ("qxl",),
    "vmvga": ("vmwgfx",), "vbox": ("vboxvideo",), "xen": ("xen_fbfront",),
}  # fmt: skip
_X_DRIVERS = {"qxl": "qxl", "vmvga": "vmware", "cirrus": "cirrus", "vbox": "vboxvideo"}
_QEMU_VGA = {"virtio": "virtio", "cirrus": "cirrus", "qxl": "qxl", "vmvga": "vmware"}
_KEYLESS = re.compile(r"OVMF_VARS(_4M)?\.fd$")
_PROFILES = {"kvm": "kvm", "qemu": "kvm", "xen": "xen", "vmware": "vmware", "vbox": "virtualbox", "hyperv": "hyperv-gen1"}
"""The shipped profile that supplies what the XML does not state, by domain type."""
_ARM_PROFILES = {"kvm": "kvm-aarch64", "qemu": "kvm-aarch64"}
# The first match counts: Skylake-Server before Skylake, EPYC-Genoa before EPYC.
_LEVELS = (
    (re.compile(r"x86-64-v([1-4])"), 0),
    (re.compile(r"Skylake-Server|Cascadelake|Cooperlake|Icelake|Snowridge|SapphireRapids|GraniteRapids|EPYC-Genoa|EPYC-Turin"), 4),
    (re.compile(r"Haswell|Broadwell|Skylake|EPYC|Dhyana|SierraForest|ClearwaterForest"), 3),
    (re.compile(r"Nehalem|Westmere|SandyBridge|IvyBridge|Opteron_G[45]|Denverton"), 2),
)


def from_domain(path: Path) -> Target:
    """The target described by the domain XML in ``path``. UsageError when it is not a domain or has no disk."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    return _target(path.stem, str(path), data)


def from_text(name: str, text: str) -> Target:
    """The target called ``name`` described by the domain XML ``text``. UsageError when it has no disk."""
    return _target(name, name, text)


def _target(name: str, path: str, data: bytes | str) -> Target:
    root = read_document(path, data, UsageError).root
    if root.tag != "domain":
        raise UsageError(f"{path}: not a libvirt domain", hint="'virsh dumpxml NAME' prints one")
    disks = [disk for disk in in_order(root.iterfind("devices/disk")) if disk.get("device", "disk") in ("disk", "lun")]
    if not disks:
        raise UsageError(f"{path}: a domain without a disk")
    sectors = tuple(map(_sector, disks))
    scsi = next((_model(one) for one in root.iterfind("devices/controller") if one.get("type") == "scsi"), "")
    buses = tuple(dict.fromkeys(_bus(disk) for disk in disks))
    cards = root.findall("devices/interface")
    nics = tuple(dict.fromkeys(_nic_model(nic) for nic in cards))
    videos = tuple(dict.fromkeys(_model(video.find("model"), "type") for video in root.iterfind("devices/video")))
    base = _base(root.get("type", ""), _arch(root))
    placed = domain_board(root, base.hypervisor)
    return dataclasses.replace(
        base,
        name=name,
        title=f"libvirt domain {root.findtext('name', name)}",
        controllers=tuple(_on_transport(_controller(bus, scsi, path), disks) for bus in buses),
        nics=tuple(_on_transport(Nic(model, _lookup(_NICS, model, path, "network card")), cards) for model in nics),
        displays=tuple(_display(video) for video in videos if video != "none"),
        consoles=_consoles(root),
        firmware=(_firmware(root),),
        boot_order=_boot_order(disks),
        secure_boot=_secure_boot(root),
        sector_size=sectors[0],
        disk_sectors=sectors if len(set(sectors)) > 1 else (),
        arch=_arch(root),
        cpu_level=_cpu_level(root.find("cpu")),
        arm_level=_arm_level(root.find("cpu")),
        ram_mib=_memory(root),
        keeps_mac=True,
        macs=all_macs(_model(card.find("mac"), "address") for card in cards),
        boards=placed or base.boards,
        # Stated addresses leave no other places.
        other_slots=() if placed else base.other_slots,
        other_buses=() if placed else base.other_buses,
        other_indexes=() if placed else base.other_indexes,
        # libvirt calls a paravirtual guest "xen", and in older files "linux".
        xen_pv=root.findtext("os/type", "") in ("linux", "xen"),
        hardware=_hardware(root, buses[0], scsi, nics, videos) if base.hypervisor == "kvm" else None,
    )


def _base(kind: str, arch: str) -> Target:
    name = _ARM_PROFILES.get(kind, "") if arch == "aarch64" else ""
    return shipped_profile(name or _PROFILES[kind]) if kind in _PROFILES else Target("", "", kind or "unknown", (), (), ())


def _on_transport(part: Part, devices: Iterable[Element]) -> Part:
    """Whether virtio devices are memory-mapped: on machines without PCI, and for an address of that type."""
    if not any(_model(device.find("address"), "type") == "virtio-mmio" for device in devices):
        return part
    any_of = tuple(tuple("virtio_mmio" if name == "virtio_pci" else name for name in names) for names in part.any_of)
    return dataclasses.replace(part, any_of=any_of)


def _model(element: Element | None, attribute: str = "model") -> str:
    return "" if element is None else element.get(attribute, "")


def _bus(disk: Element) -> str:
    return disk_bus(disk) or "ide"


def _nic_model(nic: Element) -> str:
    model = _model(nic.find("model"), "type").removesuffix("-transitional").removesuffix("-non")
    # libvirt's default on x86 (qemuDomainDefaultNetModel).
    return model or "rtl8139"


def _controller(bus: str, scsi: str, path: str) -> Controller:
    if bus == "scsi":
        return Controller(f"{scsi or 'lsilogic'} SCSI", "sd", ((*_lookup(_SCSI, scsi, path, "SCSI controller"), "sd_mod"),))
    known = {
        "virtio": Controller("virtio-blk", "vd", (("virtio_blk", "virtio_pci"),)),
        "sata": Controller("SATA", "sd", (("ahci", "sd_mod"),)),
        "ide": Controller("IDE", "sd", (("ata_piix", "sd_mod"), ("ata_generic", "sd_mod"))),
        "usb": Controller("USB", "sd", (("usb_storage", "sd_mod"), ("uas", "sd_mod"))),
        "nvme": Controller("NVMe", "nvme", (("nvme",),)),
        "xen": Controller("Xen block device", "xvd", (("xen_blkfront",),)),
    }
    return _lookup(known, bus, path, "disk bus")


def controller_of(bus: str, scsi: str, path: str) -> Controller:
    """The controller for disks on ``bus``, given libvirt's SCSI controller model. UsageError when it is unknown."""
    return _controller(bus, scsi, path)


def nic_modules(model: str, path: str) -> tuple[tuple[str, ...], ...]:
    """Alternative Linux modules for a network card model. UsageError when it is unknown."""
    return _lookup(_NICS, model, path, "network card")


def video_modules(model: str) -> tuple[str, ...]:
    """Linux modules for a display model."""
    return _VIDEO.get(model, ())


def x_drivers(model: str) -> tuple[str, ...]:
    """X drivers that work on a display model: those for any frame buffer, and its own."""
    return ("modesetting", "fbdev", "vesa", *((_X_DRIVERS[model],) if model in _X_DRIVERS else ()))


def cpu_level_of(model: str) -> int:
    """The x86-64 level of a QEMU processor model; 1 when it is unknown."""
    return next((level or int(match[1]) for pattern, level in _LEVELS if (match := pattern.match(model))), 1)


def _lookup(table: Mapping[str, T], key: str, path: str, what: str) -> T:
    if key not in table:
        raise UsageError(f"{path}: unknown {what} {key!r}", hint=f"known: {', '.join(filter(None, table))}")
    return table[key]


def _display(video: str) -> Display:
    # These drive the frame buffer that the firmware has set up, on any display.
    modules = (*_VIDEO.get(video, ()), "simpledrm", "vesafb", "efifb")
    return Display(video, modules, x_drivers(video))


def _consoles(root: Element) -> tuple[str, ...]:
    targets = [_model(one.find("target"), "type") for one in root.iterfind("devices/console")]
    serial = root.find("devices/serial") is not None or "serial" in targets
    found = [
        ("ttyAMA0" if _arch(root) == "aarch64" else "ttyS0", serial),
        ("hvc0", "virtio" in targets or "xen" in targets),
        ("tty0", root.find("devices/video") is not None),
    ]
    return tuple(name for name, present in found if present)


def _arch(root: Element) -> str:
    """The ``<type arch=…>``; a 32-bit machine is judged as the 64-bit one that QEMU could emulate as well."""
    named = _model(root.find("os/type"), "arch") or "x86_64"
    return {"i686": "x86_64", "i386": "x86_64", "armv7l": "aarch64"}.get(named, named)


def _firmware(root: Element) -> Firmware:
    """The stated firmware, or else the machine's default: nothing but UEFI starts disks of an aarch64 machine."""
    if _arch(root) == "aarch64":
        return "uefi"
    system = root.find("os")
    loader = None if system is None else system.find("loader")
    return "uefi" if _model(system, "firmware") == "efi" or _model(loader, "type") == "pflash" else "bios"


def _secure_boot(root: Element) -> SecureBoot:
    """Microsoft's keys, unless the domain states that none are enrolled: firmware without keys checks nothing (setup mode)."""
    asked = {one.get("name"): one.get("enabled") == "yes" for one in root.iterfind("os/firmware/feature")}
    on = asked.get("secure-boot", _model(root.find("os/loader"), "secure") == "yes")
    keyless = _KEYLESS.search(_model(root.find("os/nvram"), "template")) is not None
    return "microsoft" if on and asked.get("enrolled-keys", not keyless) else ""


def _boot_order(disks: Iterable[Element]) -> tuple[int, ...]:
    """The numbers of the disks with an order of their own; the firmware is told of no other."""
    ranks = ((_model(disk.find("boot"), "order"), number) for number, disk in enumerate(disks, 1))
    return tuple(number for _rank, number in sorted((decimal(rank), number) for rank, number in ranks if rank.isdecimal()))


def _sector(disk: Element) -> int:
    """The sector size of a disk. QEMU refuses others than 512 bytes on IDE and SATA."""
    size = _model(disk.find("blockio"), "logical_block_size")
    return 4096 if size == "4096" and _bus(disk) not in ("ide", "sata") else 512


def _cpu_level(cpu: Element | None) -> int:
    """The level of a named model. host-model and host-passthrough count as v2; without a model it is qemu64, v1."""
    if cpu is None:
        return 1
    if cpu.get("mode") in ("host-model", "host-passthrough", "maximum"):
        return 2
    return cpu_level_of(cpu.findtext("model", ""))


def _arm_level(cpu: Element | None) -> int:
    """The level of a named model; every host has the first one."""
    return max(arm_level("" if cpu is None else cpu.findtext("model", "")), BASE)


def _memory(root: Element) -> int:
    memory = root.find("memory")
    unit = _model(memory, "unit").lower() or "kib"
    text = "" if memory is None else (memory.text or "").strip()
    return int(text) * LIBVIRT.get(unit, 1 << 10) >> 20 if text.isdecimal() else 2048


def _hardware(root: Element, bus: str, scsi: str, nics: Iterable[str], videos: Iterable[str]) -> Hardware:
    system = root.find("os/type")
    disk = {"virtio": "virtio-blk-pci", "nvme": "nvme", "scsi": _QEMU_SCSI.get(scsi, "virtio-scsi-pci")}.get(bus, "ide-hd")
    nic, video = next(iter(nics), "virtio"), next(iter(videos), "vga")
    if _arch(root) == "aarch64":
        return Hardware("virt", disk, "virtio-net-pci" if nic == "virtio" else nic, "virtio" if video == "virtio" else "none")
    return Hardware(
        machine="q35" if "q35" in _model(system, "machine") else "pc",
        disk=disk,
        nic="virtio-net-pci" if nic == "virtio" else nic,
        vga=_QEMU_VGA.get(video, "std"),
    )
