"""Packages of Debian that cannot be installed beside others that are needed: unpacked in the cache, downloaded the first time."""

from __future__ import annotations

import fcntl
from pathlib import Path

from guestbuild.debian import cache_dir
from guestbuild.tools import BuildError, run


def unpacked(package: str) -> Path:
    """The folder with the files of ``package``. BuildError when it is neither there nor can be had."""
    home = cache_dir() / "debs"
    home.mkdir(parents=True, exist_ok=True)
    folder = home / package
    with (home / f".{package}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            run("apt-get", "download", package, cwd=home)
            archive = next(home.glob(f"{package}_*.deb"), None)
            if archive is None:
                raise BuildError(f"apt-get has not downloaded {package}")
            run("dpkg-deb", "--extract", archive, home / f"{package}.new")
            archive.unlink()
            (home / f"{package}.new").rename(folder)
    return folder
