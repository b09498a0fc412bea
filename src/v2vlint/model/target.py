"""The virtual hardware a guest will land on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Firmware = Literal["bios", "uefi"]


@dataclass(frozen=True, slots=True)
class Controller:
    """A disk controller the root disk may be attached to.

    ``any_of`` holds alternative module sets: the guest can drive the controller when every module of one set is usable.
    ``prefix`` is the kernel's disk naming there: ``vd``, ``sd``, ``nvme``, ``xvd`` or ``hd``. ``ids`` are pairs of a module and the PCI
    ID (``8086:7111``) of the controller that it drives there, where that is not QEMU's.
    """

    name: str
    prefix: str
    any_of: tuple[tuple[str, ...], ...]
    ids: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card model and the alternative kernel modules that drive it.

    ``ids`` are the PCI IDs (``8086:100f``) of the models that may be meant; without them the modules tell.
    """

    name: str
    any_of: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CardPlace:
    """Where a network card sits: its PCI address (``0000:01:00.0``, None when it may be any), hot-plug slot and firmware's index, if any.

    ``bus`` is ``pci``, ``vmbus`` or ``xen``. ``name`` is set when it is the name that is known, not the place.
    """

    at: str | None = None
    slot: int | None = None
    index: int | None = None
    bus: str = "pci"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """One usual arrangement of the first network cards, in their order, and where it is known from."""

    cards: tuple[CardPlace, ...]
    source: str


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
class MachineName:
    """What a machine may be called there: a regular expression for the whole name, its longest length, and both in words."""

    pattern: str
    longest: int
    words: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What one machine may have there at most; 0 and None: no limit is known. ``disk_gib`` is the size of one disk."""

    name: MachineName | None = None
    disks: int = 0
    disk_gib: int = 0
    cpus: int = 0
    memory_gib: int = 0


@dataclass(frozen=True, slots=True)
class Images:
    """The disk images that the importer takes: ``formats`` (``raw``, ``qcow2``, ``vhd-fixed``…; empty: not known), and the unit in MiB
    that a disk's size must be a multiple of (0: any size)."""

    formats: tuple[str, ...] = ()
    align_mib: int = 0


@dataclass(frozen=True, slots=True)
class Target:
    """A target profile. What a key means and where it is judged stands in ``docs/targets.md``; nothing outside ``v2vlint.target`` asks
    for ``name``, which is only shown.

    The guest must work on *each* of ``controllers`` and on *each* of ``nics``. ``firmware`` lists what the target can present;
    ``cpu_level`` is the x86-64 level (1..4) guaranteed there; ``ram_mib`` the memory assumed. The ``keeps_*`` flags say what
    of the source's hardware identity travels: MAC addresses, PCI topology, UEFI NVRAM, virtual TPM, the IP network.
    ``xen_pv`` allows Xen PV kernels. ``hypervisor`` and ``platform`` are free words.
    ``names_system_disk`` says that the import names the disk to boot from; elsewhere that is the first one.

    What only some hosts offer: ``datasources`` of cloud-init in lower case, families of guest tools at home there (``agents``) and the one
    that the host talks to (``guest_agent``), ``resolvers`` and ``time_servers`` that answer there only, devices with the host's clock
    (``ptp_clocks``), paravirtual ``clocksources``, filesystems of folders that the host shares (``shares``). ``keyboards`` are the modules
    that the only keyboard needs, empty when it is an ordinary one; ``vmbus_id`` the ACPI name of the VMBus where it is not ``VMBus``;
    ``bios`` the program that is the BIOS (``seabios``, or empty); ``cpu_hotplug`` says that QEMU adds processors to a running machine.

    ``boards`` are the usual arrangements of network cards; ``other_slots``, ``other_buses`` and
    ``other_indexes`` are the ranges of further places that a card may get, empty where the boards are all there is. ``mac_prefixes`` are
    how the addresses start that the platform gives, ``max_mtu`` is the largest packet its network carries, 0 when that is not known.
    """

    name: str
    title: str
    hypervisor: str
    controllers: tuple[Controller, ...]
    nics: tuple[Nic, ...]
    displays: tuple[Display, ...]
    platform: str = ""
    consoles: tuple[str, ...] = ("tty0", "ttyS0")
    firmware: tuple[Firmware, ...] = ("bios", "uefi")
    bios: str = ""
    cpu_level: int = 2
    cpu_hotplug: bool = False
    ram_mib: int = 2048
    keeps_mac: bool = False
    keeps_pci: bool = False
    keeps_nvram: bool = False
    keeps_tpm: bool = False
    keeps_network: bool = False
    xen_pv: bool = False
    names_system_disk: bool = False
    keyboards: tuple[str, ...] = ()
    vmbus_id: str = ""
    datasources: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    guest_agent: str = ""
    resolvers: tuple[str, ...] = ()
    time_servers: tuple[str, ...] = ()
    ptp_clocks: tuple[str, ...] = ()
    clocksources: tuple[str, ...] = ()
    shares: tuple[str, ...] = ()
    limits: Limits = Limits()
    images: Images = Images()
    boards: tuple[Board, ...] = ()
    other_slots: tuple[int, ...] = ()
    other_buses: tuple[int, ...] = ()
    other_indexes: tuple[int, ...] = ()
    mac_prefixes: tuple[str, ...] = ()
    max_mtu: int = 0
    hardware: Hardware | None = None

    @property
    def disk_prefixes(self) -> frozenset[str]:
        """All disk name prefixes the root disk may get: ``{"vd"}``, ``{"sd", "nvme"}``…"""
        return frozenset(controller.prefix for controller in self.controllers)

    def keeps_disk_name(self, prefix: str) -> bool:
        """Whether a disk named with ``prefix`` (``sd``) on the source keeps that prefix wherever the target puts it."""
        return self.disk_prefixes == {prefix}
