"""The letters in Linux's names of disks: ``sda``, ``sdz``, ``sdaa``… (``drivers/scsi/sd.c``, ``sd_format_disk_name``)."""

from __future__ import annotations


def letters_of(index: int) -> str:
    """The letters of the disk with this 0-based index."""
    last = chr(ord("a") + index % 26)
    return last if index < 26 else letters_of(index // 26 - 1) + last


def index_of(letters: str) -> int:
    """The 0-based index of the disk with these lower-case letters."""
    found = 0
    for letter in letters:
        found = found * 26 + ord(letter) - ord("a") + 1
    return found - 1
