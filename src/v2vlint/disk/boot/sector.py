"""Identifies the boot code in a boot sector by its instructions, not its messages: a sector that only contains GRUB's name starts
nothing.
"""

from __future__ import annotations

SIZE = 512
CODE_SIZE = 440
SIGNATURE = b"\x55\xaa"

# MBR_BOOT_CODE of libparted's labels/dos.c.
_PARTED = bytes.fromhex("fab800108ed0bc00b0b800008ed88ec0fbbe007cbf0006b90002f3a4ea21060000bebe07")
# mbr.S and altmbr.S, and in its first 27 bytes gptmbr.S.
_SYSLINUX_MBR = bytes.fromhex("33c0fa8ed88ed0bc007c89e606578ec0fbfcbf0006b90001f3a5ea1f060000")
# xor ax, ax; mov ss, ax; mov sp, …
_WINDOWS_MBR = bytes.fromhex("33c08ed0bc")
# mov si, bp; add si, 16; dec cx: the entries after the active one.
_XP_LOOKS_ON = bytes.fromhex("8bf583c61049")
# install-mbr(8) of Debian's package mbr.
_MBR = bytes.fromhex("fc31c08ed031e48ed88ec0be007cbf0006b90001f3a5beee07b008ea20060000")
_MBR_PARTITIONS = (0, 1, 2, 3, 7)
_STACK = b"\x00\x7c"
_DUMMY = (b"not a bootable disk", b"Non-System disk", b"not a bootable partition")


def code_of(sector: bytes) -> str:
    """One of ``grub2``, ``grub-legacy``, ``lilo``, ``isolinux``, ``parted``, ``none`` and ``other``.

    Disks may also have ``syslinux-mbr``, ``syslinux-altmbr``, ``syslinux-gptmbr``, ``windows-mbr`` and ``mbr``; partitions ``syslinux``,
    ``windows``, ``dos`` and ``dummy`` (which only prints a message).
    """
    code = sector[:CODE_SIZE]
    if not any(code):
        return "none"
    for name, test in _TESTS:
        if test(sector):
            return name
    return "other"


def family(code: str) -> str:
    """The program that a kind of boot code belongs to: ``syslinux`` for ``syslinux-gptmbr``."""
    return "none" if code == "dummy" else code.partition("-")[0] if code.startswith(("syslinux", "windows")) else code


def _grub2(sector: bytes) -> bool:
    """boot.img of GRUB 1.97 and later: the address of core.img's first sector, the drive, and GRUB's messages."""
    # The length of the first jump differs between versions.
    return sector[0] == 0xEB and sector[0x5A:0x5C] == b"\x00\x80" and sector[1] in (0x4C, 0x63, 0x5E) and b"GRUB \0Geom\0" in sector


def _grub_legacy(sector: bytes) -> bool:
    """stage1, whose own version is 3.2 in every GRUB; it loads stage1_5 at 0x2000 or stage2 at 0x8000."""
    goes_on = sector[0x42:0x44] in (b"\x00\x20", b"\x00\x80")
    return sector[0] == 0xEB and sector[0x3E:0x40] == b"\x03\x02" and goes_on and b"GRUB \0Geom\0" in sector


def _syslinux_mbr(sector: bytes) -> bool:
    return sector.startswith(_SYSLINUX_MBR) and b"Multiple active partitions" in sector and b"Operating system load error" in sector


def _altmbr(sector: bytes) -> bool:
    return sector.startswith(_SYSLINUX_MBR) and b"Operating system load error" in sector


def _gptmbr(sector: bytes) -> bool:
    return sector.startswith(_SYSLINUX_MBR[:27]) and b"Missing OS" in sector


def _syslinux(sector: bytes) -> bool:
    return sector[3:11] in (b"SYSLINUX", b"EXTLINUX") and sector[0] == 0xEB and b"Boot error" in sector


def takes_the_first(code: str, sector: bytes) -> bool:
    """Whether boot code starts the first of several active partitions. Others refuse to choose, Windows' up to XP and 2003 among them.

    Since Vista, Windows' code does not look at the entries behind the first active one.
    """
    return code in ("parted", "mbr") or (code == "windows-mbr" and _XP_LOOKS_ON not in sector)


def mbr_choice(sector: bytes) -> int:
    """The choice stored in the code of install-mbr(8): a partition counted from 0, 7 for the active one, 4 for a floppy disk."""
    return sector[0x1AF] & 7


def _mbr(sector: bytes) -> bool:
    return sector.startswith(_MBR) and mbr_choice(sector) in _MBR_PARTITIONS


def _windows_mbr(sector: bytes) -> bool:
    return sector.startswith(_WINDOWS_MBR) and (sector[5:7] == _STACK or b"Invalid partition table" in sector)


def _windows(sector: bytes) -> bool:
    return sector[0] in (0xEB, 0xE9) and (b"BOOTMGR" in sector or b"NTLDR" in sector)


def _dos(sector: bytes) -> bool:
    return sector[0] in (0xEB, 0xE9) and (b"IO      SYS" in sector or b"KERNEL  SYS" in sector)


_TESTS = (
    ("grub-legacy", _grub_legacy),
    ("grub2", _grub2),
    ("lilo", lambda sector: sector[6:10] == b"LILO"),
    ("syslinux-mbr", _syslinux_mbr),
    ("syslinux-altmbr", _altmbr),
    ("syslinux-gptmbr", _gptmbr),
    ("isolinux", lambda sector: b"isolinux.bin missing" in sector),
    ("syslinux", _syslinux),
    ("mbr", _mbr),
    ("windows-mbr", _windows_mbr),
    ("windows", _windows),
    ("dos", _dos),
    ("parted", lambda sector: sector.startswith(_PARTED)),
    ("dummy", lambda sector: any(text in sector for text in _DUMMY)),
)
