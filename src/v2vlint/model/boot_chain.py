"""What a BIOS runs when it boots a disk: the code in the first sector and whatever that loads, followed byte by byte."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass

TITLES = {
    "grub2": "GRUB 2", "grub-legacy": "GRUB legacy", "lilo": "LILO", "syslinux": "SYSLINUX", "windows": "Windows", "parted": "parted",
    "isolinux": "ISOLINUX", "dos": "DOS", "mbr": "install-mbr",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GrubImage:
    """The contents of a GRUB 2 image: core.img on a BIOS, an EFI program on UEFI.

    ``prefix`` is the built-in path to GRUB's files (``(,msdos1)/boot/grub``, ``/EFI/debian``), ``modules`` the names of the embedded
    modules, ``config`` the embedded configuration, which runs first, ``memdisk`` whether the image embeds a filesystem.
    """

    prefix: str = ""
    modules: frozenset[str] = frozenset()
    config: str = ""
    memdisk: bool = False


@dataclass(frozen=True, slots=True)
class BootChain:
    """The path from one disk's first sector to a boot loader.

    ``disk`` is the 0-based index of the disk. ``code`` identifies the code in that sector: ``grub2``, ``grub-legacy``, ``lilo``,
    ``syslinux``, ``windows``, ``dos``, ``parted``, ``mbr``, ``isolinux``, ``none`` or ``other``. ``starts`` says whether a loader comes up,
    None when the bytes are not understood; ``reason`` explains it. ``loader`` is the loader that finally comes up (same vocabulary as
    ``code``, empty when not known), and ``partition`` the device whose boot sector or files it was loaded from, empty for the disk itself.
    ``image`` is GRUB 2's core.img, None when it was not understood. ``config`` is the path of the configuration embedded in GRUB legacy, or
    the folder that SYSLINUX was installed in.
    """

    disk: int
    code: str
    starts: bool | None = None
    reason: str = ""
    loader: str = ""
    partition: str = ""
    image: GrubImage | None = None
    config: str = ""

    @property
    def owner(self) -> str:
        """The system whose loader comes up: ``linux``, ``windows``, or empty when none does or it is not known."""
        found = self.loader or ("" if self.starts is False else self.code)
        return {"windows": "windows", "grub2": "linux", "grub-legacy": "linux", "lilo": "linux", "syslinux": "linux"}.get(found, "")
