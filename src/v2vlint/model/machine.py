"""What a machine is, as plain data: disks, filesystems, and every operating system with what is installed and configured in it."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.definition import Definition
from v2vlint.model.report import Problem
from v2vlint.model.source import HostFileInfo


@dataclass(frozen=True, slots=True)
class Volume:
    """Something that holds files, swap or further layers, on the block device ``device``.

    ``path`` is the name libguestfs gives to that device (``/dev/sda1``, ``/dev/vg/lv``). ``type`` is blkid's, ``version`` that of
    its format. Sizes are bytes, inodes are counts; -1 is not known. ``clean`` tells whether it was unmounted; None where it does not say.
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
    """An encrypted device: ``type`` is ``LUKS1``, ``LUKS2`` or ``BitLocker``; ``opened`` tells whether a key was given that fits.

    ``unlocks`` unlock it unattended: token types of LUKS 2 (``systemd-tpm2``, ``clevis``). Only BitLocker has ``state``,
    ``guid``, ``protectors`` and ``recovery_ids`` (see :class:`~v2vlint.model.bitlocker.BitlockerVolume`).
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
    """``device`` (a name in the block table) is mounted at ``path``; ``subvolume`` is the btrfs subvolume when one was chosen."""

    path: str
    device: str
    subvolume: str = ""


@dataclass(frozen=True, slots=True)
class DriveLetter:
    """A drive letter of Windows (``C``) and the block device behind it."""

    letter: str
    device: str


@dataclass(frozen=True, slots=True)
class Application:
    """An installed package or program. Empty is not stated.

    ``version`` is without epoch and release. ``kind`` is ``antivirus`` (as libguestfs recognises them), ``key`` (a public key that RPM
    keeps like a package) or empty. ``blank`` are the names of fields that are stated, and empty.
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
    """A driver a kernel has: ``state`` is ``built in``, ``module``, ``absent`` or ``unknown``."""

    name: str
    state: str

    @property
    def present(self) -> bool:
        """Whether the kernel can drive it."""
        return self.state in ("built in", "module")


@dataclass(frozen=True, slots=True)
class InstalledKernel:
    """A kernel. ``drivers`` are those that decide about a move, by capability (``virtio-blk``, ``nvme``, ``hyperv-storage``…).

    ``initramfs`` is the image it is started with, ``default`` marks the one that boots by default, ``image`` is empty when only modules are
    left.
    """

    version: str
    image: str = ""
    modules: str = ""
    initramfs: str = ""
    flavour: str = ""
    default: bool = False
    drivers: tuple[Driver, ...] = ()

    def has(self, capability: str) -> bool | None:
        """Whether it can drive ``capability``; None when that is not known, or is not the name of one."""
        state = next((driver.state for driver in self.drivers if driver.name == capability), "unknown")
        return None if state == "unknown" else state != "absent"


@dataclass(frozen=True, slots=True)
class DriverInUse:
    """A driver that the guest is set up to use: ``role`` is ``storage``, ``network``, ``display`` or ``other``; ``where`` says so."""

    name: str
    role: str
    where: str


@dataclass(frozen=True, slots=True)
class NetworkInterface:
    """A network interface as configured. ``method`` is ``dhcp``, ``static`` or ``none``; ``where`` the file (or key) that says so.

    ``name`` is empty when it applies to any card. ``active`` is false for a configuration that nothing brings up.
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
    """Software of one hypervisor or cloud: ``family`` is ``qemu``, ``open-vm-tools``, ``hyperv``…; ``running``: starts at boot."""

    family: str
    name: str
    running: bool = False


@dataclass(frozen=True, slots=True)
class Release:
    """Which system it is.

    ``type`` is ``linux``, ``windows``, ``hurd``, ``dos`` or ``other``; ``distro`` is libguestfs's word where it has one, else the ID of
    os-release(5). ``variant`` is the edition (``server``, ``coreos``; of Windows ``Server``, ``Client``…). ``major`` and ``minor`` are 0
    when there is no version. ``image`` tells how the system is deployed when packages are not: ``ostree``, ``bootc``, ``nix``,
    ``a/b partitions``. ``osinfo`` is the id in libosinfo's database, empty when unsure. ``codename`` is the release's.
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
    """The same root as libguestfs describes it, for output that its users can take instead. Empty is its ``unknown``.

    ``mountpoints`` and ``filesystems`` come from fstab alone, as pairs of device path and mount point or as device paths; ``root`` is the
    root's own device path.
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
    """What only Windows has: the folder of the system, the control set it starts with, the installation's edition and build."""

    system_root: str = ""
    control_set: str = ""
    edition: str = ""
    build: str = ""


@dataclass(frozen=True, slots=True)
class OperatingSystem:
    """One operating system of a machine. ``device`` is the block device of its root; ``boots`` marks the one that the disk starts.

    ``loader`` is its boot loader and ``loader_config`` the file it reads; ``firmware`` says with which firmware it can start (``bios``,
    ``uefi``, ``bios+uefi`` or empty). ``consoles`` are the terminals on which users can log in. ``unread`` says what could not be known.
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
    """A whole guest. ``format`` and ``size`` are those of its disks together; ``boot_reason`` says how the booted system was told.

    ``devices`` are all block devices, ``volumes`` those with content. ``applications`` tells whether they were asked for. ``problems``
    say what could not be read, and why. ``files`` are the host files that were opened. ``definition`` is what the machine's definition
    states, None when it came without one; it has neither its text nor places.
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
        """The operating system that the disk boots by default; None when that is not known."""
        return next((system for system in self.systems if system.boots), None)
