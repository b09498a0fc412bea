"""The menu that a BIOS's boot code leads to: GRUB 2 with the folder that is built into its core.img, GRUB legacy, EXTLINUX."""

from __future__ import annotations

from dataclasses import replace

from v2vlint.facts.boot.efi import mounts_of
from v2vlint.facts.boot.entry import BootMenu
from v2vlint.facts.boot.extlinux import CONFIGS as EXTLINUX_CONFIGS
from v2vlint.facts.boot.extlinux import extlinux_menu
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.grub.cfg import grub_menu, reads_its_prefix
from v2vlint.facts.boot.grub.commands import new_shell
from v2vlint.facts.boot.grub.files import GrubFiles, GuestPath
from v2vlint.facts.boot.grub.legacy import CONFIGS as LEGACY_CONFIGS
from v2vlint.facts.boot.grub.legacy import legacy_menu
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.facts.boot.grub.shell import GrubShell
from v2vlint.facts.syntax.located import Located
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.boot_chain import BootChain, GrubImage
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile

GRUB_CONFIGS = ("/boot/grub/grub.cfg", "/boot/grub2/grub.cfg")


@dataclass(frozen=True)
class BiosMenus:
    """The menus on the filesystems of a guest with this ``firmware``."""

    files: GrubFiles
    firmware: Firmware
    os: OsInfo

    @property
    def fs(self) -> GuestFS:
        """The guest's files."""
        return self.files.fs

    @property
    def has_grub(self) -> bool:
        """Whether GRUB's files for a BIOS are there."""
        return self._modern() or self.fs.exists("/boot/grub/stage2")

    def menu(self, firmware: str) -> BootMenu | None:
        """By the owner of the boot sector if known, else GRUB 2, GRUB legacy and EXTLINUX in that order."""
        chain = self.firmware.chain
        finders = [self.grub2, self._legacy, self.extlinux]
        if self.firmware.loader == "syslinux" or (chain and chain.code not in ("grub2", "grub-legacy", "none") and not self.has_grub):
            finders = [self.extlinux, self.grub2, self._legacy]
        elif self.firmware.loader == "grub-legacy" or (self.fs.exists("/boot/grub/stage2") and not self._modern()):
            finders = [self._legacy, self.grub2, self.extlinux]
        return next((menu for find in finders if (menu := find(firmware))), None)

    def _modern(self) -> bool:
        return self.fs.exists("/boot/grub/i386-pc") or self.fs.exists("/boot/grub2/i386-pc")

    def grub2(self, firmware: str) -> BootMenu | None:
        """GRUB 2's menu."""
        # These distributions use /boot/grub2; the other folder may be left over from an earlier loader.
        paths = GRUB_CONFIGS[::-1] if self.os.family in ("rhel", "suse") else GRUB_CONFIGS
        found = next((path for path in paths if self.fs.is_file(path)), None)
        place, unsure = self._embedded() if firmware == "bios" else (None, "")
        if place is not None and not place.exists:
            stops = "core.img looks for it, and it is not there"
            return BootMenu("grub2", firmware, WholeFile(place.path), (), None, stops, (place.path,), stops=stops)
        found = place.path if place else found
        program = GrubProgram(firmware, self.os.arch, self.os.family)
        return replace(grub_menu(self.files, found, program), unsure=unsure) if found else None

    def _embedded(self) -> tuple[GuestPath | None, str]:
        """The configuration that core.img leads to; None unless it is certain that it is there, or that GRUB does not find it, and why.

        A memory disk may lead elsewhere, as do relative paths in a btrfs with SUSE's patch.
        """
        chain = self.firmware.chain
        image = chain.image if chain and chain.loader == "grub2" else None
        if chain is None or image is None or image.memdisk:
            return None, ""
        shell = core_start(self.files, chain, image)
        prefix = shell.value("prefix")
        elsewhere = chain.disk and prefix.startswith("(hd") and not image.prefix.startswith("(,")
        unsure = f"core.img looks for {prefix}, and which disk the firmware calls so cannot be told" if elsewhere else ""
        if not reads_its_prefix(shell):
            # Its own configuration starts a menu; what else it may do is not followed.
            return (GuestPath(shell.config, exists=True), unsure) if shell.normal and shell.config else (None, "")
        if not prefix.startswith("("):
            return None, ""
        place, kind = self.files.locate(f"{prefix}/grub.cfg", ""), self.files.kind_at(prefix, "")
        if not place.certain or place.foreign or (self.files.patched and kind == "btrfs"):
            return None, ""
        if unsure:
            return None, unsure
        if not place.exists and not image.config and self._stands_in(chain, image.prefix, kind):
            return None, ""
        return place, ""

    def _stands_in(self, chain: BootChain, prefix: str, kind: str) -> bool:
        """Whether core.img is likely not the guest's own: grub-install never names the disk (`(,msdos1)`), builders of images do.

        Theirs may name another kind of partition table than the disk has, or the filesystem has a configuration in another usual folder.
        """
        if prefix.startswith("(,"):
            return False
        table = next((disk.detail("pt") for disk in self.files.blocks.disks if disk.disk == chain.disk), "")
        if (table == "gpt") is not (",gpt" in prefix):
            return True
        device = prefix.partition(")")[0]
        paths = [one for path in GRUB_CONFIGS for one in (path, path.removeprefix("/boot"))]
        return bool(kind) and any(self.files.locate(f"{device}){one}", "").exists for one in paths)

    def _legacy(self, firmware: str) -> BootMenu | None:
        found = next((path for path in self._legacy_configs() if self.fs.is_file(path)), None)
        return legacy_menu(self.files, found, firmware) if found else None

    def _legacy_configs(self) -> tuple[str, ...]:
        """The file whose path is embedded in its stages if they can be read, else the usual ones."""
        chain = self.firmware.chain
        home = self.files.blocks.named(chain.partition) if chain and chain.loader == "grub-legacy" and chain.config else None
        seen = self.files.blocks.raw(home) if home else None
        mounts = mounts_of(self.fs, seen) if seen else ()
        return tuple(f"{mount.rstrip('/')}{chain.config}" for mount in mounts) if chain and mounts else LEGACY_CONFIGS

    def extlinux(self, firmware: str) -> BootMenu | None:
        """The menu of EXTLINUX or SYSLINUX."""
        found = next((path for path in EXTLINUX_CONFIGS if self.fs.is_file(path)), None)
        sure = firmware == "bios" and self.firmware.loader == "syslinux"
        return extlinux_menu(self.files, found, firmware, sure=sure) if found else None


def core_start(files: GrubFiles, chain: BootChain, image: GrubImage) -> GrubShell:
    """GRUB after its core.img has run the configuration in it (``grub_load_config`` of kern/main.c).

    Without a device, the prefix is on the disk that it was started from; without a disk, it is that one.
    """
    own, prefix = f"hd{chain.disk}", image.prefix
    prefix = f"({own}{prefix[1:]}" if prefix.startswith("(,") else prefix if prefix.startswith("(") else f"({own}){prefix}"
    root = prefix[1:].partition(")")[0]
    shell = new_shell(files, {"prefix": Located(prefix), "root": Located(root)})
    if image.config:
        shell.execute(GuestText("core.img", image.config))
    return shell
