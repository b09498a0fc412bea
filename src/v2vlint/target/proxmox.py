"""A Proxmox VE machine as the target: the hardware its configuration describes (qm.conf(5)). The file is the user's own."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from v2vlint.model.errors import UsageError
from v2vlint.model.mac import all_macs
from v2vlint.model.proxmox_conf import MAX_CONF, Conf, read_conf
from v2vlint.model.target import Display, Firmware, Hardware, Nic, Target
from v2vlint.target.libvirt import controller_of, cpu_level_of, nic_modules, video_modules, x_drivers
from v2vlint.target.shipped import shipped_profile

# In libvirt's words, which controller_of takes.
_SCSI = {
    "": "lsilogic", "lsi": "lsilogic", "lsi53c810": "lsilogic", "virtio-scsi-pci": "virtio-scsi", "virtio-scsi-single": "virtio-scsi",
    "megasas": "lsisas1078", "pvscsi": "vmpvscsi",
}  # fmt: skip
# QEMU's ide-hd is also the disk on an AHCI controller.
_DISKS = {"virtio": "virtio-blk-pci", "ide": "ide-hd", "sata": "ide-hd"}
_SCSI_DEVICES = {"virtio-scsi": "virtio-scsi-pci", "lsilogic": "lsi53c895a", "lsisas1078": "megasas", "vmpvscsi": "pvscsi"}
_DRIVE = re.compile(r"(ide|sata|scsi|virtio)\d{1,2}")
_CARDS = re.compile(r"net\d{1,2}")
_VGA = {"std": "vga", "virtio": "virtio", "virtio-gl": "virtio", "qxl": "qxl", "cirrus": "cirrus", "vmware": "vmvga"}
# Back to the words of QEMU's -vga.
_SHOWN = {"vga": "std", "vmvga": "vmware"}


def from_conf(path: Path) -> Target:
    """The target described by the configuration in ``path``. UsageError when it is not one or has no disk."""
    try:
        text = path.read_text("utf-8", "replace")
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from error
    if len(text) > MAX_CONF:
        raise UsageError(f"{path}: not a Proxmox VE machine configuration")
    return _target(path, read_conf(str(path), text))


def _target(path: Path, conf: Conf) -> Target:
    drives = [key for key in conf.values if _DRIVE.fullmatch(key) and conf.options(key, "file").get("media") != "cdrom"]
    if not drives:
        raise UsageError(f"{path}: a machine without a disk", hint="'qm config ID --current' prints one")
    base = shipped_profile("proxmox")
    buses = tuple(dict.fromkeys(drive.rstrip("0123456789") for drive in sorted(drives)))
    scsi = _SCSI.get(conf.get("scsihw"), "")
    cards = sorted((key for key in conf.values if _CARDS.fullmatch(key)), key=lambda key: int(key[3:]))
    models = tuple(dict.fromkeys(_card(conf, key) for key in cards))
    q35 = "q35" in conf.get("machine")
    video = _VGA.get(conf.options("vga", "type").get("type", "std"), "")
    return dataclasses.replace(
        base,
        name=path.stem,
        title=f"Proxmox VE machine {conf.get('name', path.stem)}",
        controllers=tuple(controller_of(bus, scsi, str(path)) for bus in buses),
        macs=all_macs(_mac(conf, key) for key in cards),
        nics=tuple(Nic(model, nic_modules(model, str(path))) for model in models),
        displays=(_display(video),) if video else (),
        consoles=_consoles(conf),
        firmware=(_firmware(conf),),
        cpu_level=_level(conf),
        ram_mib=_memory(conf, base.ram_mib),
        boards=tuple(board for board in base.boards if board.source.startswith("q35" if q35 else "i440fx")) or base.boards,
        hardware=_hardware(buses[0], scsi, models, video, q35=q35),
    )


def _mac(conf: Conf, key: str) -> str:
    """The address of a card, which follows its model or is an option of its own."""
    return conf.get(key).partition(",")[0].partition("=")[2] or conf.options(key, "model").get("macaddr", "")


def _card(conf: Conf, key: str) -> str:
    """``virtio=MAC,bridge=…`` or ``model=virtio,…``."""
    words = conf.options(key, "model")
    first = conf.get(key).partition(",")[0].partition("=")[0]
    return words.get("model") or first


def _display(video: str) -> Display:
    return Display(video, (*video_modules(video), "simpledrm", "vesafb", "efifb"), x_drivers(video))


def _consoles(conf: Conf) -> tuple[str, ...]:
    serial = any(re.fullmatch(r"serial\d", key) for key in conf.values)
    kind = conf.options("vga", "type").get("type", "std")
    # "vga: serial0" puts a serial port in the place of the screen (qm.conf(5)).
    found = [("ttyS0", serial), ("tty0", not kind.startswith(("serial", "none")))]
    return tuple(name for name, present in found if present)


def _firmware(conf: Conf) -> Firmware:
    return "uefi" if conf.get("bios") == "ovmf" else "bios"


def _level(conf: Conf) -> int:
    """The default processor is kvm64; ``host`` counts as v2."""
    kind = conf.options("cpu", "cputype").get("cputype", "kvm64")
    return 2 if kind in ("host", "max") else cpu_level_of(kind)


def _memory(conf: Conf, default: int) -> int:
    stated = conf.options("memory", "current").get("current", "")
    return int(stated) if stated.isdecimal() and len(stated) < 9 else default


def _hardware(bus: str, scsi: str, models: tuple[str, ...], video: str, *, q35: bool) -> Hardware:
    nic = models[0] if models else "virtio"
    return Hardware(
        machine="q35" if q35 else "pc",
        disk=_SCSI_DEVICES.get(scsi, "virtio-scsi-pci") if bus == "scsi" else _DISKS[bus],
        nic="virtio-net-pci" if nic == "virtio" else nic,
        vga=_SHOWN.get(video, video) or "none",
    )
