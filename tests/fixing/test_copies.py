"""Copies that fixing makes: who may read them, and what lies where they are to be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.disk.images import run
from v2vlint import target
from v2vlint.engine.protocol import CheckAsk
from v2vlint.fixing import qemu, session
from v2vlint.fixing.protocol import FixAsk
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef


def _asked(image: Path) -> FixAsk:
    return FixAsk(CheckAsk(GuestRef(str(image), "disks", (str(image),)), (target.load("kvm"),)))


def _image(folder: Path) -> Path:
    run("qemu-img", "create", "-q", "-f", "qcow2", folder / "disk.qcow2", "8M")
    return folder / "disk.qcow2"


@pytest.mark.parametrize(
    ("output", "mode", "wanted"),
    [
        ("new.qcow2", 0o600, 0o600),
        ("new.raw", 0o640, 0o640),
        ("new.vmdk", 0o600, 0o600),
        ("folder", 0o666, 0o644),
        ("folder", 0o400, 0o600),
    ],
)
def test_a_copy_is_for_those_who_may_read_the_image(tmp_path: Path, output: str, mode: int, wanted: int) -> None:
    image = _image(tmp_path)
    image.chmod(mode)
    before = os.umask(0o022)
    try:
        session.fix_copy(_asked(image), tmp_path / output)
    finally:
        os.umask(before)
    (made,) = (tmp_path / output).iterdir() if output == "folder" else [tmp_path / output]
    assert made.stat().st_mode & 0o777 == wanted


def _symlink(path: Path) -> None:
    path.symlink_to(path.with_name("victim"))


def _hard_link(path: Path) -> None:
    path.hardlink_to(path.with_name("victim"))


@pytest.mark.parametrize("put", [_symlink, _hard_link, os.mkfifo, Path.mkdir])
def test_what_lies_where_a_copy_is_made_is_not_written_to(tmp_path: Path, put: Callable[[Path], None]) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    put(tmp_path / ".new.qcow2.partial")
    with pytest.raises(ImageError):
        session.fix_copy(_asked(_image(tmp_path)), tmp_path / "new.qcow2")
    put(tmp_path / "x")
    with pytest.raises(ImageError):
        qemu.fresh(tmp_path / "x")
    assert (tmp_path / "victim").read_bytes() == b"precious"
