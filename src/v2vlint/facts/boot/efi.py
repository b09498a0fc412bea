r"""The EFI system partition: the programs on it and what they are (UEFI specification, section 3.5.1.1: ``\EFI\BOOT\BOOTX64.EFI``).

Entries in the firmware's NVRAM are not on the disks and not known here.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from v2vlint.facts.boot.pe import PeImage, pe_defect, read_pe, read_section
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.caseless import find_case, lower_names
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Device, Where, WholeFile
from v2vlint.model.target import Target

ESP_TYPE = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
XBOOTLDR_TYPE = "bc13c2ff-59e6-4262-a352-b275fd6f7172"
USUAL_MOUNTS = ("/boot/efi", "/efi", "/boot", "/esp", "/boot/EFI")
FALLBACKS = {"x86_64": "bootx64.efi", "i386": "bootia32.efi", "aarch64": "bootaa64.efi", "riscv64": "bootriscv64.efi"}
MAX_IMAGES = 100
MAX_SCAN = 4 << 20
_DOS_HEADER = 64
_DEFAULT_LOADER = re.compile(rb"\\\0((?:g\0r\0u\0b\0)(?:[a-z0-9]\0){0,8}\.\0e\0f\0i\0)\0\0")
_EFI_SUBSYSTEMS = (10, 11, 12)

_BY_CONTENT = (
    (b"LoaderInfo: systemd-boot", "systemd-boot"),
    (b"limine.conf", "limine"),
    (b"limine.cfg", "limine"),
    (b"ldlinux.e64", "syslinux"),
    (b"ldlinux.e32", "syslinux"),
    (b"UEFI SHIM", "shim"),
    ("rEFInd".encode("utf-16-le"), "refind"),
    (b"Welcome to GRUB", "grub"),
    (b"GNU GRUB  version", "grub"),
    (b"grub_", "grub"),
)
_BY_NAME = (
    ("shim", "shim"), ("grub", "grub"), ("fb", "fallback"), ("fallback", "fallback"), ("mm", "mok-manager"), ("mokmanager", "mok-manager"),
    ("systemd-boot", "systemd-boot"), ("bootmgfw", "windows"), ("bootmgr", "windows"), ("refind", "refind"), ("elilo", "elilo"),
    ("limine", "limine"), ("syslinux", "syslinux"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class EfiImage:
    """A program. ``kind`` is ``shim``, ``fallback``, ``grub``, ``systemd-boot``, ``uki``, ``linux``, ``windows``… or ``unknown``.

    ``machine`` is the architecture suffix in its header (``x64``, ``ia32``, ``aa64``) or empty. ``problem`` says why no firmware can load
    it, to be read on from its path: it is empty, random bytes, cut short, for another processor or not for EFI. ``legacy``: GRUB 0.97.
    ``starts`` is the file that a shim is built to start from its own folder, in lower case; empty when that is not known.
    """

    path: str
    kind: str
    machine: str
    size: int
    problem: str = ""
    legacy: bool = False
    starts: str = ""

    @property
    def name(self) -> str:
        """The file name in lower case."""
        return self.path.rsplit("/", 1)[1].lower()

    @property
    def folder(self) -> str:
        """The directory it is in, as a guest path."""
        return self.path.rsplit("/", 1)[0]

    @property
    def vendor(self) -> str:
        """The name of that directory."""
        return self.folder.rsplit("/", 1)[1]


@dataclass(frozen=True, slots=True)
class Efi:
    """The ESP. ``mount`` is empty when there is none, or when it is not mounted anywhere (``device`` then names it, if there is one).

    ``images`` are all programs below ``\\EFI``; ``configs`` the ``grub.cfg`` (or ``grub.conf``) files beside them. ``hidden`` says why
    firmware, which supports no RAID, LVM or encryption, cannot see it.
    """

    mount: str = ""
    device: str = ""
    images: tuple[EfiImage, ...] = ()
    configs: tuple[str, ...] = ()
    hidden: str = ""

    @property
    def where(self) -> Where:
        """The place of findings about the ESP as a whole."""
        return WholeFile(f"{self.mount.rstrip('/')}/EFI") if self.mount else Device(self.device or "disk1", "partition table")

    @property
    def vendors(self) -> tuple[str, ...]:
        r"""The directories below ``\EFI`` that contain programs, except ``BOOT``, by name."""
        folders = {image.folder.rsplit("/", 1)[1] for image in self.images if image.folder.count("/") == self._depth + 2}
        return tuple(sorted(folder for folder in folders if folder.lower() not in ("boot", "linux")))

    @property
    def _depth(self) -> int:
        return self.mount.rstrip("/").count("/")

    def fallback(self, arch: str) -> EfiImage | None:
        r"""``\EFI\BOOT\BOOTX64.EFI`` (or that of ``arch``); for an unknown architecture, any."""
        return next((image for image in self._fallbacks(arch) if not image.problem), None)

    def own_config(self, image: EfiImage) -> str:
        """The configuration of a GRUB legacy: ``BOOTX64.conf`` beside ``BOOTX64.EFI``, whatever their case; empty when it is not there."""
        wanted = f"{image.path.lower().removesuffix('.efi')}.conf"
        return next((path for path in self.configs if path.lower() == wanted), "")

    def broken_fallback(self, arch: str) -> EfiImage | None:
        """The program at that path which no firmware can load."""
        return next((image for image in self._fallbacks(arch) if image.problem), None)

    def _fallbacks(self, arch: str) -> tuple[EfiImage, ...]:
        wanted = {FALLBACKS[arch]} if arch in FALLBACKS else set(FALLBACKS.values())
        return tuple(image for image in self.of("boot") if image.name in wanted)

    def of(self, vendor: str) -> tuple[EfiImage, ...]:
        r"""The programs directly in ``\EFI\vendor``, whatever its case."""
        return tuple(image for image in self.images if image.folder.lower() == f"{self.mount.rstrip('/')}/efi/{vendor}".lower())


def firmware_arch(arch: str, target: Target) -> str:
    """The processor that UEFI firmware is for: nearly all has 64 bits, and starts no 32-bit program, whatever the guest is."""
    return "x86_64" if arch == "i386" and not target.efi32 else arch


@provides
def parse_efi(fs: GuestFS, blocks: BlockTable) -> Efi:
    """The guest's ESP: the partition the table says is one, else a usual mount point with an ``EFI`` directory. As firmware reads it."""
    fs = fs.as_it_lies()
    devices = esp_devices(blocks)
    mount = next((m for device in devices for m in mounts_of(fs, blocks.raw(device) or device)), "")
    if not mount:
        mount = next((m for m in USUAL_MOUNTS if find_case(fs, m, "EFI")), "")
    device = next((d.name for d in devices if mount in mounts_of(fs, blocks.raw(d) or d)), devices[0].name if devices else "")
    top = find_case(fs, mount, "EFI") if mount else None
    if not top:
        return Efi(mount if devices else "", device)
    paths = list(_files(fs, top))
    images = _told_by_twins(fs, tuple(_image(fs, path) for path in paths if path.lower().endswith(".efi")))
    configs = tuple(path for path in paths if path.lower().endswith(("/grub.cfg", "/grub.conf")) or _is_beside(path, paths))
    return Efi(mount, device, images, configs, _hidden(fs, blocks, mount))


def _told_by_twins(fs: GuestFS, images: tuple[EfiImage, ...]) -> tuple[EfiImage, ...]:
    """A program that neither name nor content tells is what a file of the same content is called."""
    known, unknown = ({one.size for one in images if (one.kind == "unknown") is asked} - {0} for asked in (False, True))
    # Each file is read once, and only where another one has its size.
    digests = {one.path: _digest(fs, one) for one in images if one.size in known & unknown}
    kinds = {digests[one.path]: one.kind for one in reversed(images) if one.kind != "unknown" and one.path in digests}
    return tuple(replace(one, kind=kinds.get(digests.get(one.path, b""), "unknown")) if one.kind == "unknown" else one for one in images)


def _digest(fs: GuestFS, image: EfiImage) -> bytes:
    return hashlib.sha256(b"%d " % image.size + (fs.head(image.path, MAX_SCAN) or b"")).digest()


def _is_beside(path: str, paths: list[str]) -> bool:
    """Whether it is what a GRUB legacy reads: its own name with the ending ``.conf``."""
    wanted = path.lower().removesuffix(".conf") + ".efi"
    return path.lower().endswith(".conf") and any(one.lower() == wanted for one in paths)


def _hidden(fs: GuestFS, blocks: BlockTable, mount: str) -> str:
    """Whether only the kernel puts together what is mounted as the ESP. A mirror with its metadata at the end shows on each member."""
    system = fs.mounts.get(mount)
    home = next(iter(blocks.tagged("UUID", system.uuid)), None) if system and mount != "/" else None
    if home is None or home.kind in ("disk", "partition"):
        return ""
    members = [member for name in home.parents if (member := blocks.named(name)) is not None]
    if any(member.fs_type == "linux_raid_member" and blocks.raw(member) == home for member in members):
        return ""
    return f"the ESP at {mount} is on {home.name}, which firmware cannot read"


def esp_devices(blocks: BlockTable) -> tuple[BlockDevice, ...]:
    """Partitions typed as ESP (GPT type or MBR type 0xef)."""
    return tuple(device for device in blocks if device.part_type in (ESP_TYPE, "0xef"))


def mounts_of(fs: GuestFS, device: BlockDevice) -> tuple[str, ...]:
    """Where the guest mounts the filesystem on ``device``."""
    return tuple(mount for mount, system in fs.mounts.items() if device.uuid and system.uuid.lower() == device.uuid.lower())


def _files(fs: GuestFS, top: str) -> Iterator[str]:
    for number, path in enumerate(sorted(fs.walk(top))):
        if number >= MAX_IMAGES * 20:
            return
        yield path


def _image(fs: GuestFS, path: str) -> EfiImage:
    stat, stream = fs.stat(path), fs.open(path)
    assert stat
    assert stream
    try:
        header = read_pe(stream)
        kind = _by_sections(header, stream) or _by_name(path) or _by_content(stream)
        problem = _problem(stream, stat.size) or _foreign(path, header)
        legacy = kind == "grub" and _is_legacy(header, stream)
        starts = _second_stage(stream) if kind == "shim" else ""
    except (FactUnavailable, MemoryError):
        raise
    except Exception as error:
        raise FactUnavailable(WholeFile(path), f"cannot be read: {error}") from error
    return EfiImage(path, kind, header.machine if header else "", stat.size, problem, legacy, starts)


def _problem(stream: BinaryIO, size: int) -> str:
    """What speaks against loading the program. One of fewer bytes than its first header has is not judged further."""
    stream.seek(0)
    head = stream.read(_DOS_HEADER)
    if not size:
        return "is empty"
    if head[:2] != b"MZ" or len(head) == _DOS_HEADER:
        return pe_defect(stream)
    return ""


def _foreign(path: str, header: PeImage | None) -> str:
    """Why firmware refuses a whole program: it is for another processor than its name says, or for no EFI (EDK II ``Core/Dxe/Image``)."""
    if header is None:
        return ""
    if header.subsystem and header.subsystem not in _EFI_SUBSYSTEMS:
        return f"is no program for EFI: its subsystem is {header.subsystem}"
    name = path.rsplit("/", 1)[1].lower()
    wanted = name.removeprefix("boot").removesuffix(".efi") if name in FALLBACKS.values() else ""
    return f"is a program for {header.machine}" if wanted and header.machine not in ("", wanted) else ""


def _is_legacy(header: PeImage | None, stream: BinaryIO) -> bool:
    """GRUB 0.97 has no section with modules, and its banner with the memory of a PC."""
    if header is None or header.section("mods"):
        return False
    stream.seek(0)
    scanned = stream.read(MAX_SCAN)
    return b"0.97" in scanned and b"GNU GRUB  version" in scanned


def _by_sections(header: PeImage | None, stream: BinaryIO) -> str:
    if header is None:
        return ""
    if header.section(".linux"):
        return "uki"
    # sdbootutil installs systemd-boot as grub.efi, the name under which shim starts it.
    mark = header.section(".sdmagic")
    if mark and b"systemd-boot" in read_section(stream, mark):
        return "systemd-boot"
    return "grub" if header.section("mods") else ""


def _second_stage(stream: BinaryIO) -> str:
    """DEFAULT_LOADER of a shim, which is a path from its own folder: ``grubx64.efi``, SUSE's ``grub.efi``."""
    stream.seek(0)
    found = _DEFAULT_LOADER.search(stream.read(MAX_SCAN))
    return found[1].decode("utf-16-le").lower() if found else ""


def _by_name(path: str) -> str:
    name = path.rsplit("/", 1)[1].lower()
    return next((kind for prefix, kind in _BY_NAME if name.startswith(prefix)), "")


def _by_content(stream: BinaryIO) -> str:
    stream.seek(0)
    scanned = stream.read(MAX_SCAN)
    # The header of the Linux/x86 boot protocol: a kernel with an EFI stub.
    if scanned[0x202:0x206] == b"HdrS":
        return "linux"
    return next((kind for sign, kind in _BY_CONTENT if sign in scanned), "unknown")


def boot_mounts(fs: GuestFS, blocks: BlockTable, esp: str) -> tuple[str, ...]:
    """The mount points of extended boot loader partitions (XBOOTLDR) that a systemd-boot on the ESP mounted at ``esp`` can read.

    It reads by the firmware's drivers, which are for FAT, and by those that it finds in ``EFI/systemd/drivers`` (``load_drivers``).
    """
    folder = find_case(fs, esp, "EFI/systemd/drivers")
    driven = bool(folder) and any(name.lower().endswith(".efi") for name in fs.listdir(folder or ""))
    found = (mount for device in blocks if device.part_type == XBOOTLDR_TYPE for mount in mounts_of(fs, device))
    extra = ("/boot",) if "loader" in lower_names(fs, "/boot") else ()
    mounts = dict.fromkeys((*found, *extra))
    return tuple(mount for mount in mounts if driven or fs.mounts[fs.mount_of(fs.resolve(mount) or mount)].type in ("vfat", ""))
