"""The virtual hardware a guest will land on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Hypervisor = Literal["kvm", "vmware", "hyperv", "xen", "virtualbox", "any"]
Firmware = Literal["bios", "uefi"]


@dataclass(frozen=True, slots=True)
class Controller:
    """A disk controller the root disk may be attached to.

    ``any_of`` holds alternative module sets: the guest can drive the controller when every module of one set is usable.
    ``prefix`` is the kernel's disk naming there: ``vd``, ``sd``, ``nvme``, ``xvd`` or ``hd``.
    """

    name: str
    prefix: str
    any_of: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card model and the alternative kernel modules that drive it."""

    name: str
    any_of: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Display:
    """The display adapter: kernel DRM modules that drive it (any of) and the X drivers that work on it."""

    name: str
    modules: tuple[str, ...]
    xorg_drivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hardware:
    """How ``v2vlint prove`` presents this target with QEMU: option values of ``-machine``, ``-device`` and ``-vga``."""

    machine: str = "q35"
    disk: str = "virtio-blk-pci"
    nic: str = "virtio-net-pci"
    vga: str = "std"


@dataclass(frozen=True, slots=True)
class Target:
    """A target profile.

    The guest must work on *each* of ``controllers`` and on *each* of ``nics``. ``firmware`` lists what the target can present;
    ``cpu_level`` is the x86-64 level (1..4) guaranteed there; ``ram_mib`` the memory assumed. The ``keeps_*`` flags say what
    of the source's hardware identity travels: MAC addresses, PCI topology, UEFI NVRAM, virtual TPM, the IP network.
    ``xen_pv`` allows Xen PV kernels.
    """

    name: str
    title: str
    hypervisor: Hypervisor
    controllers: tuple[Controller, ...]
    nics: tuple[Nic, ...]
    displays: tuple[Display, ...]
    consoles: tuple[str, ...] = ("tty0", "ttyS0")
    firmware: tuple[Firmware, ...] = ("bios", "uefi")
    cpu_level: int = 2
    ram_mib: int = 2048
    keeps_mac: bool = False
    keeps_pci: bool = False
    keeps_nvram: bool = False
    keeps_tpm: bool = False
    keeps_network: bool = False
    xen_pv: bool = False
    hardware: Hardware | None = None

    @property
    def disk_prefixes(self) -> frozenset[str]:
        """All disk name prefixes the root disk may get: ``{"vd"}``, ``{"sd", "nvme"}``…"""
        return frozenset(controller.prefix for controller in self.controllers)

    def keeps_disk_name(self, prefix: str) -> bool:
        """Whether a disk named with ``prefix`` (``sd``) on the source keeps that prefix wherever the target puts it."""
        return self.disk_prefixes == {prefix}
