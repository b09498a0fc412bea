"""The sample guests that these tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest_v2vlint.api
import pytest_v2vlint.items  # noqa: F401
from guestbuild.samples import cached
from v2vlint.engine.packs import load_all

# pytester forgets what is imported in a run inside this process; classes must stay the same from run to run.
load_all()


def portable() -> Path:
    """A Debian with nothing to say about it."""
    return cached("debian-portable")[0]


def vsphere() -> Path:
    """A Rocky Linux that does not boot on KVM: its initramfs is made for VMware."""
    return cached("rhel9-vsphere")[0]


def azure() -> Path:
    """An Ubuntu whose kernel has no driver for the network card of EC2."""
    return cached("ubuntu-azure")[0]


def place(folder: Path, name: str, image: Path) -> Path:
    """``image`` as ``name`` in ``folder``, without copying it."""
    path = folder / name
    path.hardlink_to(image) if image.stat().st_dev == folder.stat().st_dev else path.symlink_to(image)
    return path
