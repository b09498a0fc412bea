"""A machine as plain data: disks, filesystems, and each operating system with its software and configuration."""

from __future__ import annotations

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.report import Problem
from v2vlint.model.source import HostFileInfo


@dataclass(frozen=True, slots=True)
class Volume:
    """A block device ``device`` with content: files, swap, or a further layer.

    ``path`` is libguestfs's name for the device (``/dev/sda1``, ``/dev/vg/lv``). ``type`` is blkid's, ``version`` that of the format. Sizes
    are in bytes and inodes are counts; -1 is not known. ``clean`` says whether it was unmounted cleanly, None when the format does not
    record it.
    """

    device: str
    path: str
    type: str
    uuid: str = ""
    label: str = ""
    size: int = -1
    used: int = -1
    free: int = -1
    inodes: int = -1
    free_inodes: int = -1
    clean: bool | None = None
    version: str = ""


@dataclass(frozen=True, slots=True)
class Encryption:
    """An encrypted device: ``type`` is ``LUKS1``, ``LUKS2`` or ``BitLocker``; ``opened`` says whether one of the given keys fits.

    ``unlocks`` lists means of unattended unlocking: LUKS 2 token types (``systemd-tpm2``, ``clevis``). ``state``, ``guid``, ``protectors``
    and ``recovery_ids`` are for BitLocker only (see :class:`~v2vlint.model.bitlocker.BitlockerVolume`).
    """

    device: str
    type: str
    cipher: str = ""
    kdf: str = ""
    keyslots: int = 0
    unlocks: tuple[str, ...] = ()
    opened: bool = False
    state: str = ""
    guid: str = ""
    protectors: tuple[str, ...] = ()
    recovery_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MountPoint:
    """``device`` (a name in the block table) is mounted at ``path``; ``subvolume`` is the btrfs subvolume, if one is given."""

    path: str
    device: str
    subvolume: str = ""


@dataclass(frozen=True, slots=True)
class DriveLetter:
    """A Windows drive letter (``C``) and the block device behind it."""

    letter: str
    device: str


@dataclass(frozen=True, slots=True)
class Application:
    """An installed package or program. An empty field is not stated.

    ``version`` excludes epoch and release. ``kind`` is ``antivirus`` (as libguestfs classifies), ``key`` (a public key, which RPM
    stores as a package) or empty. ``blank`` names fields that are present but empty.
    """

    name: str
    version: str = ""
    release: str = ""
    epoch: int = 0
    arch: str = ""
    display_name: str = ""
    install_path: str = ""
    publisher: str = ""
    url: str = ""
    source: str = ""
    summary: str = ""
    description: str = ""
    kind: str = ""
    blank: tuple[str, ...] = ()

    @property
    def full_version(self) -> str:
        """``1:2.06-13`` as package managers print it."""
        epoch = f"{self.epoch}:" if self.epoch else ""
        return f"{epoch}{self.version}{'-' if self.release else ''}{self.release}"


@dataclass(frozen=True, slots=True)
class Driver:
    """A driver of a kernel: ``state`` is ``built in``, ``module``, ``absent`` or ``unknown``."""

    name: str
    state: str

    @property
    def present(self) -> bool:
        """Whether the kernel has the driver."""
        return self.state in ("built in", "module")


@dataclass(frozen=True, slots=True)
class InstalledKernel:
    """A kernel. ``drivers`` are those that matter to a move, by capability (``virtio-blk``, ``nvme``, ``hyperv-storage``…).

    ``initramfs`` is the image it boots with, ``default`` marks the kernel that boots by default, ``image`` is empty when only the modules
    are left.
    """

    version: str
    image: str = ""
    modules: str = ""
    initramfs: str = ""
    flavour: str = ""
    default: bool = False
    drivers: tuple[Driver, ...] = ()

    def has(self, capability: str) -> bool | None:
        """Whether it supports ``capability``; None when that is not known or there is no such capability."""
        state = next((driver.state for driver in self.drivers if driver.name == capability), "unknown")
        return None if state == "unknown" else state != "absent"


@dataclass(frozen=True, slots=True)
class DriverInUse:
    """A driver the guest is set to use: ``role`` is ``storage``, ``network``, ``display`` or ``other``; ``where`` is the evidence."""

    name: str
    role: str
    where: str


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """A configured network interface. ``method`` is ``dhcp``, ``static`` or ``none``; ``where`` is the file (or registry key) of the
    setting.

    ``name`` is empty for a configuration that applies to any card. ``active`` is false when nothing brings it up.
    """

    name: str
    kind: str
    manager: str
    method: str
    mac: str = ""
    addresses: tuple[str, ...] = ()
    gateways: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    active: bool = True
    where: str = ""


@dataclass(frozen=True, slots=True)
class Agent:
    """A guest agent of one hypervisor or cloud: ``family`` is ``qemu``, ``open-vm-tools``, ``hyperv``…; ``running``: starts at boot."""

    family: str
    name: str
    running: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """Name and version of an operating system.

    ``type`` is ``linux``, ``windows``, ``hurd``, ``dos`` or ``other``; ``distro`` is libguestfs's name where it has one, else the ID of
    os-release(5). ``variant`` is the edition (``server``, ``coreos``; on Windows ``Server``, ``Client``…). ``major`` and ``minor`` are 0
    without a version. ``image`` names the deployment method of systems not made of packages: ``ostree``, ``bootc``, ``nix``,
    ``a/b partitions``. ``osinfo`` is the id in the libosinfo database, empty when uncertain. ``codename`` is the release's.
    """

    type: str
    distro: str
    product_name: str
    variant: str = ""
    version: str = ""
    major: int = 0
    minor: int = 0
    codename: str = ""
    build_id: str = ""
    osinfo: str = ""
    package_format: str = ""
    package_manager: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True)
class GuestfsView:
    """The same root as libguestfs describes it, for output in its terms. An empty field is its ``unknown``.

    ``mountpoints`` (pairs of device path and mount point) and ``filesystems`` (device paths) come from fstab alone; ``root`` is the root's
    own device path.
    """

    root: str
    type: str
    distro: str = ""
    arch: str = ""
    hostname: str = ""
    product_name: str = ""
    product_variant: str = ""
    major: int = 0
    minor: int = 0
    package_format: str = ""
    package_management: str = ""
    osinfo: str = ""
    mountpoints: tuple[tuple[str, str], ...] = ()
    filesystems: tuple[str, ...] = ()
    drives: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class WindowsFacts:
    """Facts that only Windows has: the system folder, the control set in use, edition and build of the installation."""

    system_root: str = ""
    control_set: str = ""
    edition: str = ""
    build: str = ""


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """One operating system of a machine. ``device`` is the block device of its root; ``boots`` marks the one the disk boots.

    ``loader`` is its boot loader and ``loader_config`` the file it reads; ``firmware`` is what it can boot with (``bios``,
    ``uefi``, ``bios+uefi`` or empty). ``consoles`` are the terminals that offer a login. ``unread`` lists what could not be known.
    """

    device: str
    release: Release
    arch: str = ""
    hostname: str = ""
    subvolume: str = ""
    deployment: str = ""
    boots: bool = False
    firmware: str = ""
    loader: str = ""
    loader_config: str = ""
    mounts: tuple[MountPoint, ...] = ()
    drives: tuple[DriveLetter, ...] = ()
    applications: tuple[Application, ...] = ()
    kernels: tuple[InstalledKernel, ...] = ()
    drivers: tuple[DriverInUse, ...] = ()
    interfaces: tuple[NetworkInterface, ...] = ()
    consoles: tuple[str, ...] = ()
    agents: tuple[Agent, ...] = ()
    windows: WindowsFacts | None = None
    unread: tuple[Problem, ...] = ()
    libguestfs: GuestfsView | None = None

    @property
    def kernel(self) -> InstalledKernel | None:
        """The default kernel."""
        return next((kernel for kernel in self.kernels if kernel.default), None)

    def application(self, name: str) -> Application | None:
        """The installed package or program called ``name``."""
        return next((found for found in self.applications if found.name == name), None)


@dataclass(frozen=True, slots=True)
class Machine:
    """A whole guest. ``format`` and ``size`` are those of its disks together; ``boot_reason`` explains why a system is assumed to boot.

    ``devices`` are all block devices, ``volumes`` those with content. ``applications`` says whether the lists of applications were
    requested. ``problems`` lists what could not be read, and why. ``files`` are the host files that were opened. ``definition`` is the
    machine's definition without its text and places, None when there is none.
    """

    name: str
    paths: tuple[str, ...] = ()
    format: str = ""
    size: int = 0
    firmware: str = ""
    devices: tuple[BlockDevice, ...] = ()
    volumes: tuple[Volume, ...] = ()
    encryption: tuple[Encryption, ...] = ()
    systems: tuple[OperatingSystem, ...] = ()
    boot_reason: str = ""
    applications: bool = True
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    files: tuple[HostFileInfo, ...] = ()
    definition: Definition | None = None

    @property
    def booted(self) -> OperatingSystem | None:
        """The operating system that boots by default; None when that is not known."""
        return next((system for system in self.systems if system.boots), None)
