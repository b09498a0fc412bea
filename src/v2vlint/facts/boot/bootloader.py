"""Which boot loader starts the guest, which configuration it reads, and what it boots by default.

A guest may contain several loaders and configurations; the firmware, the boot sector and the installed files decide which one is live.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace

from v2vlint.disk.filesystems.formats import holds_roots_of
from v2vlint.facts.boot.bios_menus import GRUB_CONFIGS, BiosMenus
from v2vlint.facts.boot.efi import FALLBACKS, Efi, EfiImage, boot_mounts
from v2vlint.facts.boot.efi_stub import stub_menu
from v2vlint.facts.boot.entry import BootEntry, BootMenu
from v2vlint.facts.boot.extlinux import CONFIGS as EXTLINUX_CONFIGS
from v2vlint.facts.boot.extlinux import extlinux_menu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.grub.build import GrubBuild, build_of
from v2vlint.facts.boot.grub.cfg import grub_menu, grub_program_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.legacy import CONFIGS as LEGACY_CONFIGS
from v2vlint.facts.boot.grub.legacy import legacy_menu
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.facts.boot.limine import limine_menu
from v2vlint.facts.boot.refind import refind_menu
from v2vlint.facts.boot.shim import handed_on
from v2vlint.facts.boot.systemd_boot import boot_version, grub_bls_menu, systemd_boot_menu, unified_image
from v2vlint.facts.registry import FactStore, provides
from v2vlint.facts.syntax.caseless import find_case
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where, WholeFile

MKCONFIGS = ("/usr/sbin/grub2-mkconfig", "/sbin/grub2-mkconfig", "/usr/sbin/grub-mkconfig", "/sbin/grub-mkconfig")
_PATCHED = ("suse", "rhel")
NOT_READ = {
    "refind": "rEFInd", "limine": "Limine", "elilo": "ELILO", "lilo": "LILO", "zipl": "zipl",
    "yaboot": "yaboot", "petitboot": "petitboot", "grub": "a GRUB of unknown kind",
}  # fmt: skip
"""Boot loaders whose configuration is not read, and what they are called."""
_UNREAD = {"refind": "which has no stanza, and no kernel where it would look"}
_ON_ESP = ("refind", "limine", "elilo")
_DIRECT = ("uki", "linux")
_READ_ON_ESP = ("syslinux", "limine", "refind")
_SYSLINUX_FOLDERS = ("boot/syslinux", "syslinux", "")
_VENDORS = {"rhel": "redhat", "ol": "redhat", "almalinux": "almalinux", "rocky": "rocky", "opensuse-leap": "opensuse", "sles": "sles"}


@dataclass(frozen=True, slots=True)
class Unused:
    """A configuration that no live loader reads, and why."""

    where: WholeFile
    reason: str


@dataclass(frozen=True, slots=True)
class Bootloader:
    """``menus`` are the menus that may appear, the likeliest first: one, or one per firmware when both can start the guest.

    No menu means that no supported loader was found; ``reason`` then says what was looked for, and ``other`` names a loader whose
    configuration is not understood (``lilo``, ``zipl``…). ``elsewhere`` says that filesystems outside this root may contain the
    configuration (of another operating system's loader). ``mkconfig`` is the guest's own grub-mkconfig, empty when it has none.
    """

    menus: tuple[BootMenu, ...] = ()
    unused: tuple[Unused, ...] = ()
    reason: str = ""
    other: str = ""
    mkconfig: str = ""
    elsewhere: bool = False

    @property
    def loader(self) -> str:
        """The likeliest loader, or an empty string."""
        return self.menus[0].loader if self.menus else self.other

    @property
    def entries(self) -> tuple[BootEntry, ...]:
        """The entries of the likeliest menu."""
        return self.menus[0].entries if self.menus else ()

    @property
    def default(self) -> BootEntry | None:
        """The default entry, or None when it cannot be determined; see ``default_reason``."""
        return self.menus[0].default if self.menus else None

    @property
    def default_reason(self) -> str:
        """How the default was found, or why not."""
        return self.menus[0].default_reason if self.menus else self.reason

    @property
    def where(self) -> Where:
        """The live configuration."""
        return self.menus[0].config if self.menus else WholeFile("/boot")

    @property
    def defaults(self) -> tuple[BootEntry, ...]:
        """The default entries of all menus that may appear, each once."""
        return tuple(dict.fromkeys(menu.default for menu in self.menus if menu.default))

    @property
    def all_entries(self) -> tuple[BootEntry, ...]:
        """The entries of all menus that may appear, each once, without those of other operating systems."""
        return tuple(dict.fromkeys(entry for menu in self.menus for entry in menu.entries if not entry.foreign))


def default_entries(store: FactStore) -> tuple[BootEntry, ...]:
    """The default entries of all menus that may appear; none when the boot loader cannot be read."""
    try:
        return store.get(Bootloader).defaults
    except FactUnavailable:
        return ()


@provides
def find_bootloader(fs: GuestFS, blocks: BlockTable, efi: Efi, firmware: Firmware, os: OsInfo) -> Bootloader:
    """The live loader of a Linux guest. Files are read as loaders read them, without replaying journals."""
    fs = fs.as_it_lies()
    finder = _Finder(GrubFiles(fs, blocks, os.family in _PATCHED, by_name=os.family == "rhel"), efi, firmware, os)
    menus = list(finder.live())
    unused = tuple(finder.left_over(menus))
    other = "" if menus else finder.not_read or _other(fs)
    reason = "" if menus else "no GRUB, systemd-boot, extlinux or unified kernel image was found"
    if other:
        reason = f"the boot loader is {NOT_READ[other]}, {_UNREAD.get(other, 'whose configuration is not read')}"
    mkconfig = next((path for path in MKCONFIGS if fs.exists(path)), "")
    return Bootloader(tuple(menus), unused, reason, other, mkconfig, _elsewhere(fs, blocks))


def _elsewhere(fs: GuestFS, blocks: BlockTable) -> bool:
    mine = {system.uuid.lower() for system in fs.mounts.values()}
    return any(holds_roots_of(device.fs_type, "linux") and device.uuid.lower() not in mine for device in blocks)


def _other(fs: GuestFS) -> str:
    signs = (
        ("/etc/lilo.conf", "lilo"), ("/etc/elilo.conf", "elilo"), ("/etc/zipl.conf", "zipl"), ("/etc/yaboot.conf", "yaboot"),
        ("/etc/kboot.conf", "petitboot"), ("/boot/grub.conf", "grub"),
    )  # fmt: skip
    return next((name for path, name in signs if fs.exists(path)), "")


@dataclass(frozen=True)
class _Finder:
    files: GrubFiles
    efi: Efi
    firmware: Firmware
    os: OsInfo

    @property
    def fs(self) -> GuestFS:
        """The guest's files."""
        return self.files.fs

    @functools.cached_property
    def bios(self) -> BiosMenus:
        """The menus on the guest's own filesystems."""
        return BiosMenus(self.files, self.firmware, self.os)

    def live(self) -> Iterator[BootMenu]:
        """The menus that may appear, the likeliest first; one configuration counts once.

        Disks that no firmware starts may belong to a guest whose hypervisor reads its configuration (pygrub) or loads its kernel.
        """
        seen: set[str] = set()
        bios = None if self.firmware.bios is False else self.bios.menu("bios")
        uefi = None if self.firmware.uefi is False else self._uefi()
        order = (uefi, bios) if self._prefers_uefi(bios) else (bios, uefi)
        for menu in order if bios or uefi or self.not_read else (self.bios.menu(""),):
            config = menu and (self.fs.resolve(menu.config.path) or menu.config.path)
            if menu and config and config not in seen:
                seen.add(config)
                yield menu

    def _prefers_uefi(self, bios: BootMenu | None) -> bool:
        if self.firmware.bios or self.firmware.uefi is not True:
            return False
        # Without GRUB's modules for BIOS, a grub.cfg below /boot is what the GRUB on the ESP reads.
        return bios is None or not self.bios.has_grub

    def _uefi(self) -> BootMenu | None:
        if not self.efi.images:
            return None
        kind = self._first_program()
        if kind in _READ_ON_ESP:
            return self._small_loader(kind)
        if kind in _ON_ESP:
            return None
        if kind == "systemd-boot":
            image, others = self._live_program(kind), boot_mounts(self.fs, self.files.blocks, self.efi.mount)
            return systemd_boot_menu(self.fs, self.efi.mount, others, image.machine, boot_version(self.fs, image.path))
        if kind in _DIRECT:
            return self._direct()
        return self._uefi_grub() or self.bios.extlinux("uefi")

    @property
    def _fallback(self) -> EfiImage | None:
        """The program at the fallback path, which new firmware starts; nearly all firmware is 64-bit, even for a 32-bit guest."""
        wide = self.efi.fallback("x86_64") if self.os.arch == "i386" else None
        return wide or self.efi.fallback(self.os.arch)

    @property
    def _started(self) -> EfiImage | None:
        """The program that comes up at the fallback path, or that shim starts there in the end; None when that is not known."""
        fallback = self._fallback
        if fallback is None or fallback.kind != "shim":
            return fallback
        handed = [image for image, _shim in handed_on(self.fs, self.efi, fallback, self.os.arch)]
        return handed[-1] if handed and handed[-1].kind != "fallback" else None

    def _live_program(self, *kinds: str) -> EfiImage:
        """The program of one of these kinds that starts; where that is not known, the first one, for the guest's processor if possible."""
        started = self._started
        if started and started.kind in kinds:
            return started
        native = FALLBACKS.get("x86_64" if self.os.arch == "i386" else self.os.arch, "")
        return min((one for one in self.efi.images if one.kind in kinds), key=lambda one: f"boot{one.machine}.efi" != native)

    def _first_program(self) -> str:
        started = self._started
        kinds = {image.kind for image in self.efi.images}
        if started and started.kind in ("systemd-boot", "uki", "linux", "grub", "syslinux", *_ON_ESP):
            return started.kind
        # Only NVRAM names the program then; the commonest loader is assumed.
        return next((kind for kind in ("grub", "systemd-boot", "uki", "linux", "syslinux", *_ON_ESP) if kind in kinds), "")

    @property
    def not_read(self) -> str:
        """The loader that UEFI starts, if its configuration is not supported; empty otherwise."""
        kind = self._first_program() if self.firmware.only == "uefi" and self.efi.images else ""
        return kind if kind in _ON_ESP else ""

    def _direct(self) -> BootMenu:
        path = self._live_program(*_DIRECT).path
        found = unified_image(self.fs, path)
        if found is None:
            return stub_menu(self.fs, path)
        reason = "the firmware starts this unified kernel image"
        return BootMenu("uki", "uefi", WholeFile(path), (found.entry,), found.entry, reason, (path,))

    def _uefi_grub(self) -> BootMenu | None:
        """According to the program that starts, if it can be read; otherwise the ESP's configuration is assumed to be the one it reads."""
        image = self._grub_image()
        if image and image.legacy:
            return self._legacy_program(image)
        build = build_of(self.fs, image.path) if image else None
        if image and build:
            return grub_program_menu(self.files, self._program("uefi", image.path, build), build)
        menus = []
        for path in self._stubs():
            menu = legacy_menu(self.files, path, "uefi") if path.endswith(".conf") else grub_menu(self.files, path, self._program("uefi"))
            # A file that leads to no menu may not be the one that is read: another vendor's, or an old one.
            if menu and (menu.entries or menu.config.path != path):
                return menu
            menus += [menu] if menu and menu.stops else []
        if menus:
            # Only the distribution's own program, started by shim, certainly reads this file: any other has its own prefix embedded.
            signed = any(image.kind == "shim" for image in self.efi.images)
            return (
                menus[0] if signed else replace(menus[0], stops="", default_reason=f"{menus[0].stops}; whether GRUB reads it is not known")
            )
        return (self.bios.grub2("uefi") or grub_bls_menu(self.fs, self.efi.mount)) if image else None

    def _small_loader(self, kind: str) -> BootMenu | None:
        if kind == "syslinux":
            return self._syslinux()
        image = self._live_program(kind)
        if kind == "limine":
            return limine_menu(self.files, image.path, self.efi.mount, "uefi")
        others = tuple(one.path for one in self.efi.images if one.kind not in (kind, "unknown", "mok-manager", "fallback"))
        menu = refind_menu(self.files, image.folder, self.efi.mount, others)
        return menu if menu.entries else None

    def _syslinux(self) -> BootMenu:
        """SYSLINUX for EFI, in its search order (observed with version 6.04 in OVMF). It reads its own partition only."""
        image = self._live_program("syslinux")
        names = ("extlinux.conf", f"sysl{image.machine or 'x64'}.cfg", "syslinux.cfg")
        top = self.efi.mount.rstrip("/")
        for folder in (image.folder, *(found for name in _SYSLINUX_FOLDERS if (found := find_case(self.fs, top or "/", name)))):
            path = next((found for name in names if (found := find_case(self.fs, folder, name))), None)
            if path and (menu := extlinux_menu(self.files, path, "uefi", sure=True)):
                return menu
        stops = f"no configuration of SYSLINUX is beside {image.path}, in /boot/syslinux, /syslinux or at the top of its partition"
        return BootMenu("extlinux", "uefi", WholeFile(image.path), (), None, stops, (), stops=stops)

    def _legacy_program(self, image: EfiImage) -> BootMenu:
        """GRUB legacy for EFI reads only the file beside it with its own name and another extension."""
        path = self.efi.own_config(image)
        if path and (menu := legacy_menu(self.files, path, "uefi")):
            return menu
        wanted = f"{image.path[: -len('.efi')]}.conf"
        stops = f"{wanted} is not beside {image.path}, and GRUB legacy looks for no other"
        return BootMenu("grub-legacy", "uefi", WholeFile(wanted), (), None, stops, (wanted,), stops=stops)

    def _program(self, firmware: str, path: str = "", build: GrubBuild | None = None) -> GrubProgram:
        return GrubProgram(firmware, self.os.arch, self.os.family, path, build)

    def _grub_image(self) -> EfiImage | None:
        """The GRUB that is the fallback program, or that shim starts from its own folder, else that in the distribution's folder."""
        started, fallback = self._started, self._fallback
        if started and started.kind == "grub":
            return started
        # The fallback program beside shim never starts what else is in its own folder.
        by_vendor = fallback is not None and fallback.kind == "shim" and any(one.kind == "fallback" for one in self.efi.of("boot"))
        boot = () if by_vendor else self.efi.of("boot")
        order = sorted(self.efi.images, key=lambda image: (image not in boot, not self._is_own(image.path), image.path))
        return next((image for kind in ("grub", "shim") for image in order if image.kind == kind), None)

    def _is_own(self, path: str) -> bool:
        own = {self.os.distro, _VENDORS.get(self.os.distro, self.os.distro), self.os.family}
        return path.rsplit("/", 2)[1].lower() in own

    def _stubs(self) -> list[str]:
        """The ESP's GRUB configurations: the distribution's own directory first, ``BOOT`` last."""

        def rank(path: str) -> tuple[bool, bool, str]:
            return path.rsplit("/", 2)[1].lower() == "boot", not self._is_own(path), path

        return sorted(self.efi.configs, key=rank)

    def left_over(self, menus: list[BootMenu]) -> Iterator[Unused]:
        """Configurations that none of ``menus`` reads."""
        used = {self.fs.resolve(path) or path for menu in menus for path in menu.files}
        names = ", ".join(dict.fromkeys(menu.loader for menu in menus)) or "no loader"
        for path in (*GRUB_CONFIGS, *LEGACY_CONFIGS, *EXTLINUX_CONFIGS, *self.efi.configs):
            if self.fs.is_file(path) and (self.fs.resolve(path) or path) not in used:
                used.add(self.fs.resolve(path) or path)
                yield Unused(WholeFile(path), f"not read by the live loader ({names})")
