"""Layered configuration: a file in /etc hides one of the same name in /run, which hides the vendor's (systemd.unit(5), udev(7))."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.guest.fs import GuestFS

SYSTEMD = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd", "/lib/systemd")
UDEV_RULES = ("/etc/udev/rules.d", "/run/udev/rules.d", "/usr/local/lib/udev/rules.d", "/usr/lib/udev/rules.d", "/lib/udev/rules.d")
MAX_LAYERED = 2000


def layered(fs: GuestFS, folders: Iterable[str], suffix: str) -> tuple[str, ...]:
    """Paths of the active files ending in ``suffix``, sorted by name, without hidden and masked ones (a link to /dev/null, or empty)."""
    winners: dict[str, str] = {}
    for folder in folders:
        for name in fs.listdir(folder):
            if name.endswith(suffix) and name not in winners and len(winners) < MAX_LAYERED:
                winners[name] = f"{folder}/{name}"
    return tuple(path for _name, path in sorted(winners.items()) if not fs.is_masked(path) and fs.is_file(path))


def winner(fs: GuestFS, folders: Iterable[str], name: str) -> str | None:
    """The path in the first folder that contains ``name`` (a dangling link counts, as a mask does); None when no folder does."""
    for folder in folders:
        if name in fs.listdir(folder):
            return f"{folder}/{name}"
    return None


def drop_ins(fs: GuestFS, folders: Iterable[str], name: str) -> tuple[str, ...]:
    """The active ``*.conf`` drop-ins of ``name``, sorted by name."""
    return layered(fs, tuple(f"{folder}/{name}.d" for folder in folders), ".conf")
