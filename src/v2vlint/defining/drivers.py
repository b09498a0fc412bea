"""Which of the target's devices the guest can drive, and which devices to give it instead."""

from __future__ import annotations

import re

from v2vlint.defining.windows import Windows
from v2vlint.facts.boot.path import BootPath, BootPaths
from v2vlint.facts.registry import FactStore
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.target import Controller, Nic, Target

_VIRTIO_ONE = (4, 0)
_VIRTIO_DISKS = (
    ("virtio", Controller("virtio-blk", "vd", (("virtio_blk",),))),
    ("scsi", Controller("virtio-scsi", "sd", (("virtio_scsi",),))),
)
_OTHER_DISKS = (
    ("sata", Controller("SATA", "sd", (("ahci", "sd_mod"),))),
    ("ide", Controller("IDE", "sd", (("ata_piix", "sd_mod"), ("ata_generic", "sd_mod")))),
)
_VIRTIO_CARD = Nic("virtio-net", (("virtio_net", "virtio_pci"),))
_OTHER_CARDS = (
    ("e1000e", Nic("e1000e", (("e1000e",),))),
    ("e1000", Nic("e1000", (("e1000",),))),
    ("rtl8139", Nic("rtl8139", (("8139cp",), ("8139too",)))),
)


class Drivers:
    """The devices for one root; ``windows`` has the answers when that is a Windows."""

    def __init__(self, store: FactStore, target: Target) -> None:
        self.target = target
        self.notes: list[str] = []
        kind = store.get(OsInfo).kind
        self.windows = Windows(store, self.notes) if kind == "windows" else None
        self.path = self._path(store) if kind == "linux" else None
        self._foreign = kind not in ("linux", "windows")

    def is_modern(self, bus: str) -> bool:
        """Whether it runs on PCI Express with disks on ``bus``, where virtio devices follow version 1.0."""
        if self.windows:
            return self.windows.is_modern(bus)
        modern = self.path is None or _is_modern(self.path.kernel.version)
        if not modern:
            self.notes.append("machine type pc: the kernel is older than virtio 1.0, which PCI Express slots require")
        return modern

    def _path(self, store: FactStore) -> BootPath | None:
        try:
            path = next(store.get(BootPaths).defaults, None)
        except FactUnavailable as reason:
            self.notes.append(f"it is not known which drivers the guest has: {reason.reason}")
            return None
        if path is None:
            self.notes.append("it is not known which drivers the guest has: its default kernel is not known")
        return path

    def disk(self) -> tuple[str, str]:
        """libvirt's bus for the disks, and the SCSI controller model if the bus is ``scsi``."""
        offered = tuple((_bus(one), one) for one in self.target.controllers if one.prefix != "nvme") or _OTHER_DISKS
        if self.windows:
            return self._model(self.windows.disk(dict((*offered, *_VIRTIO_DISKS, *_OTHER_DISKS)).items()))
        if self._foreign:
            self.notes.append("SATA disks: it is not known which drivers a guest of this kind has")
            return "sata", ""
        if self.path is None:
            return self._model(offered[0][0])
        for bus, controller in (*offered, *self._others()):
            fate = self.path.controller(controller)
            if fate.usable is not False:
                if fate.usable is None:
                    self.notes.append(f"it is not known whether the guest can drive {controller.name}: {fate.unknown[0].reason}")
                return self._model(bus)
            self.notes.append(f"no {controller.name} disks: {'; '.join(map(str, fate.failing()))}")
        return self._model(offered[0][0])

    def _others(self) -> tuple[tuple[str, Controller], ...]:
        """What the machine can have beside the target's own: QEMU's virt has no IDE."""
        others = _OTHER_DISKS if self.target.arch == "x86_64" else (*_VIRTIO_DISKS, *_OTHER_DISKS)
        return tuple(one for one in others if one[0] != "ide" or self.target.arch == "x86_64")

    def _model(self, bus: str) -> tuple[str, str]:
        return bus, "virtio-scsi" if bus == "scsi" else ""

    def card(self) -> str:
        """libvirt's model for the network cards."""
        if self.windows:
            return self.windows.card(_VIRTIO_CARD, _OTHER_CARDS)
        if self._foreign:
            return "e1000e"
        for model, nic in (("virtio", _VIRTIO_CARD), *_OTHER_CARDS) if self.path else ():
            fate = self.path.network(nic) if self.path else None
            if fate is not None and fate.usable is not False:
                return model
            if fate is not None:
                self.notes.append(f"no {nic.name} card: {'; '.join(map(str, fate.failing()))}")
        return "virtio"

    def video(self) -> str:
        """libvirt's model for the display: virtio if the guest can drive it, else what the firmware's driver shows."""
        return "virtio" if self.has("virtio_gpu") else "vga" if self.target.arch == "x86_64" else "ramfb"

    def has(self, module: str) -> bool:
        """Whether the running system certainly has the driver."""
        if self.windows:
            return self.windows.has(module)
        return self.path is not None and self.path.installed(module).usable is True


def _bus(controller: Controller) -> str:
    modules = {module for one in controller.any_of for module in one}
    for bus, module in (("virtio", "virtio_blk"), ("scsi", "virtio_scsi"), ("sata", "ahci")):
        if module in modules:
            return bus
    return "ide"


def _is_modern(version: str) -> bool:
    """Linux 4.0 and Red Hat's kernel 3.10 support virtio 1.0; an unknown version is assumed to be recent."""
    match = re.match(r"(\d+)\.(\d+)", version)
    return match is None or (int(match[1]), int(match[2])) >= _VIRTIO_ONE or bool(re.match(r"3\.10\..*\.el7", version))
