"""The virtual hardware a guest will land on."""

from __future__ import annotations

from typing import Literal

from v2vlint.model.arm_level import BASE, PAGES
from v2vlint.model.dataclass import dataclass
from v2vlint.model.mac import plain_mac

Firmware = Literal["bios", "uefi"]
SecureBoot = Literal["", "microsoft", "windows", "own"]
_RUNS = {"x86_64": frozenset({"x86_64", "i386", "i686"}), "aarch64": frozenset({"aarch64", "arm", "armv7l", "armhf"})}


@dataclass(frozen=True, slots=True)
class Controller:
    """A disk controller the root disk may be attached to.

    ``any_of`` holds alternative sets of modules: the guest can drive the controller when every module of one set is usable.
    ``prefix`` is the kernel's disk naming there: ``vd``, ``sd``, ``nvme``, ``xvd`` or ``hd``. ``ids`` pairs a module with the PCI
    ID (``8086:7111``) of the controller it drives there, where that differs from QEMU's.
    """

    name: str
    prefix: str
    any_of: tuple[tuple[str, ...], ...]
    ids: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Nic:
    """A network card model and the alternative kernel modules that drive it.

    ``ids`` are the PCI IDs (``8086:100f``) of the possible models; without them drivers are matched by module name only.
    """

    name: str
    any_of: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CardPlace:
    """Where a network card sits: its PCI address (``0000:01:00.0``, None for any), hot-plug slot and firmware index, if any.

    ``bus`` is ``pci``, ``vmbus`` or ``xen``. ``name`` is set when the interface name is known rather than the place.
    """

    at: str | None = None
    slot: int | None = None
    index: int | None = None
    bus: str = "pci"
    name: str = ""


@dataclass(frozen=True, slots=True)
class Board:
    """A usual arrangement of the first network cards, in order, and the source of that knowledge."""

    cards: tuple[CardPlace, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Display:
    """The display adapter: alternative kernel DRM modules, and the X drivers that work on it."""

    name: str
    modules: tuple[str, ...]
    xorg_drivers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hardware:
    """How ``v2vlint prove`` presents this target in QEMU: values for ``-machine``, ``-device`` and ``-vga``."""

    machine: str = "q35"
    disk: str = "virtio-blk-pci"
    nic: str = "virtio-net-pci"
    vga: str = "std"


@dataclass(frozen=True, slots=True)
class Choice:
    """What an importer creates for some guests when the user chooses nothing, and the ``source`` of that knowledge.

    ``guests`` are a kind or distribution with versions: ``rhel 6-``, ``debian -9``, ``windows 6.0-6.3``, ``linux``.
    """

    guests: tuple[str, ...]
    source: str
    controller: Controller | None = None
    nic: Nic | None = None


@dataclass(frozen=True, slots=True)
class MachineName:
    """Valid machine names: a regular expression for the whole name, the maximum length, and a description."""

    pattern: str
    longest: int
    words: str


@dataclass(frozen=True, slots=True)
class MachineLimits:
    """Maxima for one machine; 0 or None means no known limit. ``disk_gib`` is the size of one disk."""

    name: MachineName | None = None
    disks: int = 0
    disk_gib: int = 0
    cpus: int = 0
    memory_gib: int = 0
    cards: int = 0


@dataclass(frozen=True, slots=True)
class Images:
    """The disk images the importer accepts: ``formats`` (``raw``, ``qcow2``, ``vhd-fixed``…; empty: not known), and the unit in MiB
    that disk sizes must be a multiple of (0: any size), which holds for images in ``align_formats`` (empty: in all)."""

    formats: tuple[str, ...] = ()
    align_mib: int = 0
    align_formats: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Admission:
    """The platform owner's requirements for an image: whether it may have ``swap`` space and ``lvm`` on the system disk, which
    ``provisioners`` set up a new machine (``cloud-init`` or families of guest tools; empty: none is required), whether the guest has to
    grow its root filesystem (``grows_root``) and react to its ``power_button``, and which layouts the importer ``refuses`` (``encrypted``
    volumes, ``several-systems``, ``root-elsewhere``: on another disk than the boot code, ``32-bit`` systems).
    """

    swap: bool = True
    lvm: bool = True
    provisioners: tuple[str, ...] = ()
    grows_root: bool = False
    power_button: bool = False
    refuses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A target profile. ``docs/targets.md`` lists each key with its meaning and where it is judged. Nothing outside ``v2vlint.target``
    reads ``name`` except to display it.

    The guest must work on *each* of ``controllers`` and on *each* of ``nics``, or on those of the first of ``choices`` that is for it.
    ``firmware`` lists what the target can present. ``arch`` is the processors' architecture; ``cpu_level`` is the guaranteed x86-64 level
    (1..4), ``arm_level`` that of an aarch64 target (:mod:`v2vlint.model.arm_level`), ``page_sizes`` the KiB that its pages can have;
    ``ram_mib`` the assumed memory. The ``keeps_*`` flags
    say what of the source's hardware identity travels: MAC addresses, PCI topology, UEFI NVRAM, virtual TPM, the IP network.
    ``xen_pv`` allows Xen PV kernels. ``hypervisor`` and ``platform`` are free words.
    ``names_system_disk`` says that the import designates the boot disk; elsewhere it is the first disk.
    ``boot_order`` lists the numbers of the disks (from 1) that the firmware is told to start, in order; empty: the first.
    ``first_disk_only`` is the firmware that starts no other disk than the first, or those in ``boot_order``.
    ``sector_size`` is the logical sector size of the disks in bytes, 0 when the image decides; ``disk_sectors`` are those of single disks,
    in order, where they differ. ``secure_boot`` says whose signatures the
    firmware requires: ``microsoft`` (Windows and third parties), ``windows``, ``own``, or empty when Secure Boot is off. ``efi32``: a
    32-bit guest gets 32-bit UEFI firmware.

    Specific to some hosts: cloud-init ``datasources`` in lower case, families of guest tools that belong there (``agents``) and the one the
    host talks to (``guest_agent``), ``resolvers`` and ``time_servers`` that exist only there, devices exposing the host's clock
    (``ptp_clocks``), paravirtual ``clocksources``, filesystem types of folders shared by the host (``shares``). ``keyboards`` are the
    modules for the only keyboard, empty for a PS/2 or USB one; ``vmbus_id`` is the ACPI name of the VMBus where it is not ``VMBus``;
    ``bios`` names the BIOS implementation (``seabios``, or empty); ``cpu_hotplug`` says that processors can be added while running.

    ``boards`` are the usual arrangements of network cards; ``other_slots``, ``other_buses`` and ``other_indexes`` are ranges of further
    places a card may get, empty where the boards are exhaustive. ``mac_prefixes`` are the prefixes of MAC addresses assigned by the
    platform, ``macs`` the addresses of a certain machine's cards, in order; empty where they are the source's or new ones, ``max_mtu`` is
    the largest packet its network carries in bytes, 0 when not known.
    """

    name: str
    title: str
    hypervisor: str
    controllers: tuple[Controller, ...]
    nics: tuple[Nic, ...]
    displays: tuple[Display, ...]
    choices: tuple[Choice, ...] = ()
    platform: str = ""
    consoles: tuple[str, ...] = ("tty0", "ttyS0")
    firmware: tuple[Firmware, ...] = ("bios", "uefi")
    bios: str = ""
    arch: str = "x86_64"
    cpu_level: int = 2
    arm_level: int = BASE
    page_sizes: tuple[int, ...] = PAGES
    cpu_hotplug: bool = False
    ram_mib: int = 2048
    keeps_mac: bool = False
    keeps_pci: bool = False
    keeps_nvram: bool = False
    keeps_tpm: bool = False
    keeps_network: bool = False
    xen_pv: bool = False
    names_system_disk: bool = False
    first_disk_only: tuple[Firmware, ...] = ("bios",)
    boot_order: tuple[int, ...] = ()
    sector_size: int = 512
    disk_sectors: tuple[int, ...] = ()
    secure_boot: SecureBoot = ""
    efi32: bool = False
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
    limits: MachineLimits = MachineLimits()
    images: Images = Images()
    admission: Admission = Admission()
    boards: tuple[Board, ...] = ()
    other_slots: tuple[int, ...] = ()
    other_buses: tuple[int, ...] = ()
    other_indexes: tuple[int, ...] = ()
    mac_prefixes: tuple[str, ...] = ()
    macs: tuple[str, ...] = ()
    max_mtu: int = 0
    hardware: Hardware | None = None

    def sector_of(self, disk: int) -> int:
        """The logical sector size in bytes of the disk with this 0-based index, 0 when its image decides."""
        return self.disk_sectors[disk] if 0 <= disk < len(self.disk_sectors) else self.sector_size

    @property
    def carries_mac(self) -> bool:
        """Whether its cards have the addresses of the source's."""
        return self.keeps_mac and not self.macs

    def has_mac(self, mac: str) -> bool:
        """Whether a card there has the address ``mac``, which one of the source has."""
        return plain_mac(mac) in self.macs if self.macs else self.keeps_mac

    def runs(self, arch: str) -> bool:
        """Whether its processors run programs for ``arch``; an unknown architecture counts as one that they run."""
        return not arch or arch in _RUNS.get(self.arch, {self.arch})

    @property
    def disk_prefixes(self) -> frozenset[str]:
        """All disk name prefixes that the root disk may get: ``{"vd"}``, ``{"sd", "nvme"}``…"""
        return frozenset(controller.prefix for controller in self.controllers)
