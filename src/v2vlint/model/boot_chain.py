"""What a BIOS gets when it starts a disk: the boot code in the first sector, and what that goes on with, followed byte by byte."""

from __future__ import annotations

from dataclasses import dataclass

TITLES = {
    "grub2": "GRUB 2", "grub-legacy": "GRUB legacy", "lilo": "LILO", "syslinux": "SYSLINUX", "windows": "Windows", "parted": "parted",
    "isolinux": "ISOLINUX", "dos": "DOS",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class GrubImage:
    """What is inside an image of GRUB 2, which for a BIOS is core.img and for UEFI a program.

    ``prefix`` is where it looks for its files as it was built (``(,msdos1)/boot/grub``, ``/EFI/debian``), ``modules`` are those inside by
    name, ``config`` the configuration inside that runs first, ``memdisk`` whether it has a filesystem inside.
    """

    prefix: str = ""
    modules: frozenset[str] = frozenset()
    config: str = ""
    memdisk: bool = False


@dataclass(frozen=True, slots=True)
class BootChain:
    """The way from one disk's first sector to a boot loader.

    ``disk`` is its 0-based index. ``code`` is whose code is in that sector: ``grub2``, ``grub-legacy``, ``lilo``, ``syslinux``,
    ``windows``, ``dos``, ``parted``, ``isolinux``, ``none`` or ``other``. ``starts`` says whether a boot loader comes up: None when the
    bytes are not understood. ``reason`` says so in words. ``loader`` is what comes up at last, one of the same words, empty when that is
    not known; ``partition`` the device whose boot sector or files it is from, empty while that is the disk itself. ``image`` is GRUB 2's
    core.img, None when it was not understood. ``config`` is the configuration that GRUB legacy has written into it, or the folder that
    SYSLINUX was installed in.
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
        """Whose loader comes up: ``linux``, ``windows``, or empty when it is not known or none does."""
        found = self.loader or ("" if self.starts is False else self.code)
        return {"windows": "windows", "grub2": "linux", "grub-legacy": "linux", "lilo": "linux", "syslinux": "linux"}.get(found, "")
