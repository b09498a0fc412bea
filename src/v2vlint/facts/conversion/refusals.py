"""Reasons for virt-v2v to give up: the guest then stays as it is, and none of virt-v2v's repairs happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from v2vlint.disk.filesystems.node import as_known
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.efi import Efi
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.conversion.run import Conversion
from v2vlint.facts.initramfs.config import InitramfsConfig
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.facts.windows.system import HIBERFIL, is_hibernated
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.identity import id_as_written
from v2vlint.guest.space import free_bytes, free_inodes
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device, Where, WholeFile

BUILDERS = frozenset({"dracut", "initramfs-tools", "mkinitrd", "suse-mkinitrd", "make-initrd"})
_DISTRIBUTIONS = frozenset(
    {"altlinux", "centos", "circle", "debian", "fedora", "kali", "kylin", "neokylin", "rhel", "rocky", "sles", "sled", "ubuntu"}
)
_RECOGNISED = frozenset(
    {"alpine", "arch", "coreos", "frugalware", "gentoo", "mageia", "openEuler", "openmandriva", "opencloudos", "pardus", "pld", "tencentos"}
    | {"void"}
)
# Not recognised, and shipped without any of the older release files; one that exists belongs to another system.
_BARE = frozenset({"amzn", "flatcar", "photon", "azurelinux", "mariner"})
_INODES = 100
_NETWORK_LEGACY = "/etc/dracut.conf.d/50-network-legacy.conf"
_CLIENTS = ("/sbin/dhclient", "/usr/sbin/dhclient")
_RELEASES = ("oracle-release", "centos-release", "redhat-release", "debian_version", "SuSE-release", "altlinux-release")


@dataclass(frozen=True, slots=True)
class MoverRefusal:
    """One reason.

    ``kind`` is ``distribution``, ``boot loader``, ``initramfs builder``, ``fstab``, ``fstab root``, ``kernel``, ``dracut``, ``space`` or
    ``hibernated``.
    """

    kind: str
    where: Where
    reason: str


@dataclass(frozen=True, slots=True)
class Refusals:
    """Why virt-v2v stops with an error before it changes anything; ``converts`` when it moves the guest and does not refuse.

    ``unknown`` are the kinds of reasons that could not be checked, and why.
    """

    found: tuple[MoverRefusal, ...] = ()
    converts: bool = False
    unknown: tuple[tuple[str, FactUnavailable], ...] = ()

    def of(self, kind: str) -> tuple[MoverRefusal, ...]:
        """The reasons of one kind. FactUnavailable when there is none for certain, and that kind could not be checked."""
        found = tuple(refusal for refusal in self.found if refusal.kind == kind)
        if not found and (reason := dict(self.unknown).get(kind)):
            raise reason.with_traceback(None)
        return found


@provides
def find_refusals(conversion: Conversion, store: FactStore) -> Refusals:
    """None for a raw copy. What cannot be known is not a reason to refuse."""
    if not conversion.by_virt_v2v:
        return Refusals()
    questions = _OF_LINUX if store.get(OsInfo).kind == "linux" else _OF_WINDOWS
    found: list[MoverRefusal] = []
    unknown: list[tuple[str, FactUnavailable]] = []
    for question, kinds in questions.items():
        try:
            found += store.call(question)
        except FactUnavailable as reason:
            unknown += ((kind, reason) for kind in kinds)
    return Refusals(tuple(found), not found, tuple(unknown))


def _distribution(os: OsInfo, fs: GuestFS) -> Iterator[MoverRefusal]:
    """The closed list in ``convert/convert.ml``, ``convert``; libguestfs's identification of a guest is in ``daemon/inspect_fs_unix.ml``.

    For an unknown ID in os-release, older release files decide: AlmaLinux counts as Red Hat's family, Amazon Linux has none of them.
    """
    written = id_as_written(fs)
    distro = os.distro if written in ("", os.distro) else written
    if distro in _DISTRIBUTIONS or distro.startswith("opensuse"):
        return
    if distro in _RECOGNISED | _BARE or not (_by_lsb_release(fs) or any(fs.is_file(f"/etc/{name}") for name in _RELEASES)):
        reason = f"virt-v2v converts a closed list of distributions, and {os.name or os.distro or 'this one'} is not on it"
        yield MoverRefusal("distribution", WholeFile("/etc/os-release"), reason)


def _by_lsb_release(fs: GuestFS) -> bool:
    text = fs.text("/etc/lsb-release")
    return text is not None and any(f"DISTRIB_ID={name}" in text.content.replace('"', "") for name in ("Ubuntu", "LinuxMint"))


def _boot_loader(loader: Bootloader, efi: Efi, firmware: Firmware) -> Iterator[MoverRefusal]:
    """libguestfs-common ``mldrivers/linux_bootloaders.ml``, ``detect_bootloader`` and ``bootloader_grub2``."""
    if not loader.loader:
        return
    if loader.loader not in ("grub2", "grub-legacy"):
        yield MoverRefusal("boot loader", loader.where, f"the guest is booted by {loader.loader}, which virt-v2v does not support")
    elif firmware.only == "uefi" and efi.mount and efi.mount != "/boot/efi":
        reason = f"the EFI system partition is mounted at {efi.mount}, and virt-v2v looks only at /boot/efi"
        yield MoverRefusal("boot loader", loader.where, reason)
    elif loader.loader == "grub2" and not loader.mkconfig:
        yield MoverRefusal("boot loader", loader.where, "the guest has GRUB 2 but no grub-mkconfig")


def _builder(config: InitramfsConfig, os: OsInfo, choices: BootChoices) -> Iterator[MoverRefusal]:
    """``convert/convert_linux.ml``, ``rebuild_initrd``: no known generator, for a kernel that has an initramfs."""
    if any(choice.initrds for choice in choices.defaults) and not any(generator.name in BUILDERS for generator in config.installed):
        reason = f"no initramfs generator supported by virt-v2v is installed in this {os.name or 'guest'}"
        yield MoverRefusal("initramfs builder", WholeFile("/usr/sbin"), reason)


def _fstab(fstab: Fstab) -> Iterator[MoverRefusal]:
    """A line that Augeas cannot parse aborts inspection: libguestfs ``daemon/inspect_utils.ml``, ``with_augeas``. No ``/``: no guest."""
    yield from (MoverRefusal("fstab", where, "this line has fewer than three fields and is not a valid entry") for where in fstab.malformed)
    mounts = [entry for entry in fstab.entries if not (entry.is_pseudo or entry.is_swap or entry.is_network)]
    if mounts and not any(entry.mount_point == "/" for entry in mounts):
        yield MoverRefusal("fstab root", fstab.where, "fstab has no entry for /")


def _kernel(kernels: Kernels) -> Iterator[MoverRefusal]:
    """``convert/convert_linux.ml``, ``configure_kernel``: only Xen kernels are installed."""
    if kernels.bootable and all(kernel.is_xen_pv_only for kernel in kernels.bootable):
        yield MoverRefusal("kernel", kernels.bootable[0].where, "only Xen kernels are installed")


def _hibernated(fs: GuestFS) -> Iterator[MoverRefusal]:
    """libguestfs mounts such an NTFS read-only, and ``mount_filesystems`` ends when the root cannot be written to."""
    if is_hibernated(fs):
        yield MoverRefusal("hibernated", WholeFile(HIBERFIL), f"{HIBERFIL} holds a hibernated system")


def _dracut(fs: GuestFS) -> Iterator[MoverRefusal]:
    """dracut fails in ``rebuild_initrd``: it is configured to use a network module whose programs are missing."""
    if fs.is_file(_NETWORK_LEGACY) and not fs.is_masked(_NETWORK_LEGACY) and not any(fs.exists(path) for path in _CLIENTS):
        reason = "dracut is configured to use network-legacy, and dhclient is not installed"
        yield MoverRefusal("dracut", WholeFile(_NETWORK_LEGACY), reason)


def _space(fs: GuestFS, blocks: BlockTable, os: OsInfo) -> Iterator[MoverRefusal]:
    """``convert/convert.ml``, ``check_guest_free_space``.

    Its condition is meant for ``/boot``, or ``/`` without a separate ``/boot``, but matches both: a separate ``/boot`` needs only 10 MiB.
    """
    alone = "/boot" not in fs.mounts and os.kind == "linux"
    untold: FactUnavailable | None = None
    for point, system in fs.mounts.items():
        device = next((one for one in blocks.tagged("UUID", system.uuid) if one.fs_type == system.type), None) if system.uuid else None
        if device is None:
            continue
        needed = (50 if alone else 100) if point == "/" else 10
        # Where the journal cannot be replayed, what it holds back is little beside these thresholds.
        system = as_known(system)
        free = free_bytes(system, device)
        if free < 0:
            untold = untold or FactUnavailable(Device(device.name), "how much space is free is not read")
        elif free < needed << 20:
            reason = f"{free / (1 << 20):.1f} MiB are free on {point}, and virt-v2v requires {needed}"
            yield MoverRefusal("space", Device(device.name), reason)
        elif system.type.startswith("ext") and 0 <= (inodes := free_inodes(system, device)) < _INODES:
            yield MoverRefusal("space", Device(device.name), f"{inodes} inodes are free on {point}, and virt-v2v requires {_INODES}")
    if untold:
        raise untold


_Questions = dict[Callable[..., Iterator[MoverRefusal]], tuple[str, ...]]
_OF_WINDOWS: _Questions = {_hibernated: ("hibernated",), _space: ("space",)}
_OF_LINUX: _Questions = {
    _distribution: ("distribution",), _boot_loader: ("boot loader",), _builder: ("initramfs builder",), _fstab: ("fstab", "fstab root"),
    _kernel: ("kernel",), _dracut: ("dracut",), _space: ("space",),
}  # fmt: skip
