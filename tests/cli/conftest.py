"""Small real images, and the real command line in a process of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import pytest

DEBIAN = {
    "/bin/.keep": "",
    "/usr/bin/.keep": "",
    "/lib/.keep": "",
    "/root/.keep": "",
    "/etc/os-release": 'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n',
    "/etc/hostname": "web\n",
}
CLEAN_FSTAB = "UUID=0a1b2c3d-0000-4000-8000-000000000001 / ext4 defaults 0 1\n"
BAD_FSTAB = "# static\n/dev/sda /srv ext4 errors=remount-ro 0 1\n"
ROOT_UUID = "0a1b2c3d-0000-4000-8000-000000000001"
_KEPT = ("PATH", "HOME", "LANG", "COVERAGE_PROCESS_START", "TMPDIR", "XDG_CACHE_HOME")


class MakeImage(Protocol):
    """Builds an image with ``files`` beside those of a small Debian root, at ``path``; its format follows the suffix."""

    def __call__(self, path: Path, files: Mapping[str, str]) -> Path: ...


class Run(Protocol):
    """Runs the command line in ``cwd`` with only the environment given."""

    def __call__(self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, text: str = "") -> Result: ...


Result = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def make_image() -> MakeImage:
    """See :class:`MakeImage`."""

    def make(path: Path, files: Mapping[str, str]) -> Path:
        root, raw = path.with_suffix(".root"), path.with_suffix(".tmp")
        for name, content in {**DEBIAN, **files}.items():
            target = root / name.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.encode("utf-8", "surrogateescape"))
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-U", ROOT_UUID, "-d", str(root), str(raw), "8M"], check=True)
        kind = path.suffix.lstrip(".")
        subprocess.run(["qemu-img", "convert", "-q", "-O", "raw" if kind == "img" else kind, str(raw), str(path)], check=True)
        raw.unlink()
        shutil.rmtree(root)
        return path

    return make


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory, make_image: MakeImage) -> Path:
    """A folder with ``good.qcow2`` (nothing to find in fstab) and ``bad.qcow2`` (/srv is /dev/sda)."""
    folder = tmp_path_factory.mktemp("images")
    make_image(folder / "good.qcow2", {"/etc/fstab": CLEAN_FSTAB})
    make_image(folder / "bad.qcow2", {"/etc/fstab": BAD_FSTAB})
    return folder


@pytest.fixture
def v2vlint(tmp_path: Path) -> Run:
    """See :class:`Run`; by default in an empty folder."""

    def run(*arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None, text: str = "") -> Result:
        environment = {**{name: os.environ[name] for name in _KEPT if name in os.environ}, **(env or {})}
        command = [sys.executable, "-m", "v2vlint", *arguments]
        return subprocess.run(command, cwd=cwd or tmp_path, env=environment, input=text, capture_output=True, text=True, timeout=120)

    return run
