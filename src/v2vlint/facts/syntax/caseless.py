"""File names on case-insensitive filesystems: the ESP is FAT, where ``\\EFI\\BOOT`` and ``efi/boot`` are the same."""

from __future__ import annotations

from v2vlint.guest.fs import GuestFS


def lower_names(fs: GuestFS, folder: str) -> dict[str, str]:
    """The names in a directory, by their lower-case form."""
    return {name.lower(): name for name in fs.listdir(folder)}


def find_case(fs: GuestFS, top: str, path: str) -> str | None:
    """The guest path of ``path`` below ``top``, ignoring case, or None when it does not exist. An exact match takes precedence."""
    here = top.rstrip("/")
    if fs.exists(f"{here}/{path}"):
        return f"{here}/{path}"
    for part in path.strip("/").split("/"):
        name = lower_names(fs, here or "/").get(part.lower())
        if name is None:
            return None
        here = f"{here}/{name}"
    return here


def volume_path(fs: GuestFS, mount: str, name: str) -> str:
    r"""The guest path of ``\EFI\x`` or ``/EFI/x`` on the volume mounted at ``mount``; as it is written where nothing is there."""
    plain = name.replace("\\", "/").lstrip("/")
    return find_case(fs, mount, plain) or f"{mount.rstrip('/')}/{plain}"
