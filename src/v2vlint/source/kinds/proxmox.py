"""Proxmox VE's qemu-server configuration (qm.conf(5)): disks are volumes of storages, which storage.cfg places on the host."""

from __future__ import annotations

import base64
import binascii
import os
import re
from collections.abc import Iterator, Mapping

from v2vlint.model.definition import ControllerDevice, Definition, DiskDevice, Feature, Medium, NicDevice, Topology, place_name
from v2vlint.model.place import Where, WholeFile
from v2vlint.model.proxmox_conf import LOCAL, MAX_CONF, Conf, Storage, read_conf, read_storage
from v2vlint.model.source import GuestSource
from v2vlint.model.units import scaled
from v2vlint.source.kind import DefinitionKind
from v2vlint.source.nearby import Absent, Found, Nearby
from v2vlint.source.values import identifier, mac_address, number, true

_BUSES = ("ide", "sata", "scsi", "virtio")
_DRIVE = re.compile(r"(ide|sata|scsi|virtio)(\d{1,2})")
_SCSI = {"": "lsi", "virtio-scsi-pci": "virtio-scsi", "virtio-scsi-single": "virtio-scsi"}
_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,9})?)([KMGT]?)")
_UNITS = {"": 0, "K": 10, "M": 20, "G": 30, "T": 40}
_FORMATS = {"qcow2": "qcow2", "raw": "raw", "vmdk": "vmdk"}
_SETTINGS = {
    "args": "qemu-arguments", "affinity": "cpu-affinity", "hugepages": "huge-pages", "watchdog": "watchdog", "cpulimit": "cpu-shares",
    "cpuunits": "cpu-shares", "ivshmem": "shared-memory", "audio0": "sound", "parallel0": "parallel-port", "amd-sev": "memory-encryption",
    "vmstate": "suspended",
}  # fmt: skip
_LINE = re.compile(rb"^(#.*|[A-Za-z][\w-]*:.*|\[[^\]]+\]\s*|\s*)$")
_PLACES = {"name": "name", "firmware": "bios", "cpus": "cores", "memory_mib": "memory", "tpm": "tpmstate0", "secure_boot": "efidisk0"}


def proxmox(where: str, data: bytes) -> Definition:
    """The machine. A disk's ``path`` is the volume as written (``local:100/vm-100-disk-0.qcow2``)."""
    text = data.decode("utf-8", "replace")
    return _Machine(where, text, read_conf(place_name(where), text)).definition()


class _Machine:
    def __init__(self, where: str, text: str, conf: Conf) -> None:
        self.where, self.text, self.conf, self.path = where, text, conf, place_name(where)

    def at(self, key: str) -> Where:
        token = self.conf.values.get(key)
        return WholeFile(self.path) if token is None else token.where

    def definition(self) -> Definition:
        conf = self.conf
        firmware = conf.options("efidisk0", "file")
        sockets, cores = number(conf.get("sockets", "1")) or 1, number(conf.get("cores", "1")) or 1
        smbios = conf.options("smbios1")
        return Definition(
            source="proxmox",
            where=self.where,
            name=conf.get("name") or f"vm{os.path.basename(self.where).partition('.')[0]}",  # noqa: PTH119
            firmware="uefi" if conf.get("bios") == "ovmf" else "bios",
            disks=tuple(self.disks()),
            nics=tuple(self.nics()),
            secure_boot=conf.get("bios") == "ovmf" and true(firmware.get("pre-enrolled-keys", "")),
            tpm="tpmstate0" in conf.values,
            memory_mib=number(conf.options("memory", "current").get("current", "")) or 512,
            cpus=sockets * cores,
            os_hint=conf.get("ostype"),
            machine=conf.options("machine", "type").get("type", "pc"),
            cpu_model=conf.options("cpu", "cputype").get("cputype", ""),
            video=tuple(filter(None, (conf.options("vga", "type").get("type", ""),))),
            arch=conf.get("arch", "x86_64"),
            media=tuple(self.media()),
            passthrough=tuple(self.passthrough()),
            snapshots=tuple(Feature("snapshot", one.value, one.where) for one in conf.sections if _is_snapshot(one.value)),
            features=tuple(self.features()),
            product="proxmox",
            uuid=identifier(_plain(smbios.get("uuid", ""), smbios)),
            genid=identifier(conf.get("vmgenid")),
            topology=Topology(sockets, cores, 1),
            controllers=tuple(self.controllers()),
            path=self.path,
            places={name: conf.values[key].where for name, key in _PLACES.items() if key in conf.values},
            content=self.text,
        )

    def drives(self) -> Iterator[tuple[str, str, dict[str, str]]]:
        """The slot, bus and options of every drive, those in the boot order first, then by bus."""
        order = [one.strip() for one in self.conf.options("boot", "legacy").get("order", self.conf.get("bootdisk")).split(";")]
        found = [(match[0], match[1], int(match[2])) for key in self.conf.values if (match := _DRIVE.fullmatch(key))]
        ranked = sorted(found, key=lambda one: (order.index(one[0]) if one[0] in order else 99, _BUSES.index(one[1]), one[2]))
        yield from ((slot, bus, self.conf.options(slot, "file")) for slot, bus, _unit in ranked)

    def disks(self) -> Iterator[DiskDevice]:
        for slot, bus, words in self.drives():
            if words.get("media") == "cdrom":
                continue
            volume = words.get("file", words.get("volume", ""))
            suffix = words.get("format", volume.rpartition(".")[2])
            yield DiskDevice(
                volume, bus, self.scsi() if bus == "scsi" else "", _FORMATS.get(suffix, ""), slot,
                shared=true(words.get("shared", "")), mode="transient" if true(words.get("snapshot", "")) else "",
                mapped="block" if volume.startswith("/dev/") else "", capacity=_size(words.get("size", "")), where=self.at(slot),
            )  # fmt: skip

    def scsi(self) -> str:
        return _SCSI.get(self.conf.get("scsihw"), self.conf.get("scsihw"))

    def controllers(self) -> Iterator[ControllerDevice]:
        for bus in dict.fromkeys(bus for _slot, bus, _words in self.drives()):
            yield ControllerDevice(
                bus, self.scsi() if bus == "scsi" else "", "", self.at("scsihw") if bus == "scsi" else WholeFile(self.path)
            )

    def media(self) -> Iterator[Medium]:
        for slot, bus, words in self.drives():
            if words.get("media") == "cdrom":
                volume = words.get("file", "")
                yield Medium("cdrom", "" if volume in ("none", "cdrom") else volume, bus, self.at(slot))

    def nics(self) -> Iterator[NicDevice]:
        slots = sorted((key for key in self.conf.values if re.fullmatch(r"net\d{1,2}", key)), key=lambda key: int(key[3:]))
        for slot in slots:
            words = self.conf.options(slot, "model")
            # net0 is virtio=MAC,… or model=virtio,macaddr=MAC,…
            named = ((key, value) for key, value in words.items() if key != "macaddr" and mac_address(value))
            model, address = next(named, (words.get("model", ""), ""))
            stated, bridge = address or words.get("macaddr", ""), words.get("bridge", "")
            yield NicDevice(mac_address(stated), model, bridge, "bridge" if bridge else "", where=self.at(slot))

    def passthrough(self) -> Iterator[Feature]:
        for key in self.conf.values:
            if re.fullmatch(r"hostpci\d{1,2}", key):
                words = self.conf.options(key, "host")
                yield Feature("vgpu" if "mdev" in words else "pci", words.get("host") or words.get("mapping", ""), self.at(key))
            elif re.fullmatch(r"usb\d{1,2}", key) and (host := self.conf.options(key, "host").get("host", "")) not in ("", "spice"):
                yield Feature("usb", host, self.at(key))

    def features(self) -> Iterator[Feature]:
        for key, kind in _SETTINGS.items():
            if value := self.conf.get(key):
                yield Feature(kind, value, self.at(key))
        if true(self.conf.get("numa")):
            yield Feature("numa-topology", "", self.at("numa"))
        hot = self.conf.get("hotplug")
        for word, kind in (("cpu", "cpu-hotplug"), ("memory", "memory-hotplug")):
            if word in hot.split(","):
                yield Feature(kind, hot, self.at("hotplug"))
        yield from (
            Feature("shared-folder", self.conf.get(key), self.at(key)) for key in self.conf.values if re.fullmatch(r"virtiofs\d", key)
        )


def _is_snapshot(section: str) -> bool:
    # [PENDING] has changes for the next start; a name with a colon is an internal section, as [special:cloudinit].
    return section.upper() != "PENDING" and ":" not in section


def _plain(text: str, words: Mapping[str, str]) -> str:
    if not true(words.get("base64", "")):
        return text
    try:
        return base64.b64decode(text, validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return text


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    return scaled(match[1], 1 << _UNITS[match[2]]) if match else -1


def _locate(nearby: Nearby) -> GuestSource:
    definition = proxmox(nearby.where, nearby.read(nearby.where, MAX_CONF))
    candidates = (os.path.join(nearby.folder, up, "storage.cfg") for up in ("", "..", "../.."))  # noqa: PTH118
    listed = next((text for path in candidates if (text := nearby.optional(path, MAX_CONF))), b"")
    storages = read_storage(listed.decode("utf-8", "replace"))
    return nearby.source(definition, lambda disk: _find(nearby, disk, storages))


def _find(nearby: Nearby, disk: DiskDevice, storages: Mapping[str, Storage]) -> Found:
    name, colon, volume = disk.path.partition(":")
    if disk.path.startswith("/") or not colon:
        return nearby.local(disk)
    # "local" need not be in storage.cfg: Proxmox VE adds it.
    storage = storages.get(name, LOCAL if name == "local" else None)
    path = storage.path(name, volume) if storage else ""
    beside = nearby.local(disk, path or volume.rpartition("/")[2])
    if isinstance(beside, Absent) and not path:
        kind = f"of type {storage.kind}" if storage else "that no storage.cfg beside the file explains"
        return Absent(f"disk {disk.path} is on a storage {kind}: not read", missing=beside.missing and storage is None)
    return beside


def _is_conf(head: bytes) -> bool:
    """Whether every line belongs to such a file; the last may be cut off."""
    lines = head.split(b"\n")[:-1] or [head]
    return b"\0" not in head and all(map(_LINE.match, lines))


KINDS = (DefinitionKind("proxmox", "a Proxmox VE machine", (".conf",), _locate, knows=_is_conf),)
