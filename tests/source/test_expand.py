"""Arguments become guests; a wrong one is named with its reason."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from v2vlint.model.errors import UsageError
from v2vlint.source.expand import expand


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (
        "a.qcow2",
        "b.raw",
        "c+d.img",
        "notes.txt",
        "vm/vm.vmx",
        "vm/vm.vmdk",
        "vm/vm-flat.vmdk",
        "split/s.vmdk",
        "split/s-s001.vmdk",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refs(*arguments: str) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(ref.name, ref.kind, ref.paths) for ref in expand(arguments)]


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("a.qcow2", [("a.qcow2", "disks", ("a.qcow2",))]),
        ("a.qcow2+b.raw", [("a.qcow2+b.raw", "disks", ("a.qcow2", "b.raw"))]),
        ("c+d.img", [("c+d.img", "disks", ("c+d.img",))]),
        ("vm/vm.vmx", [("vm/vm.vmx", "vmx", ("vm/vm.vmx",))]),
        ("?.*[2w]", [("a.qcow2", "disks", ("a.qcow2",)), ("b.raw", "disks", ("b.raw",))]),
        ("vm", [("vm/vm.vmx", "vmx", ("vm/vm.vmx",))]),
        ("split", [("split/s.vmdk", "disks", ("split/s.vmdk",))]),
        (".", [("./a.qcow2", "disks", ("./a.qcow2",)), ("./b.raw", "disks", ("./b.raw",)), ("./c+d.img", "disks", ("./c+d.img",))]),
    ],
)
def test_arguments(folder: Path, argument: str, wanted: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert refs(argument) == wanted


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("missing.qcow2", "missing.qcow2: no such file"),
        ("a.qcow2+missing", "missing: no such file or directory"),
        ("*.vdi", r"\*.vdi: no file matches"),
        ("pipe", "pipe: not a file or block device"),
        ("dangling", "dangling: no such file or directory"),
        ("nothing", "nothing: a folder without disk images"),
    ],
)
def test_wrong_arguments(folder: Path, argument: str, message: str) -> None:
    os.mkfifo("pipe")
    (folder / "dangling").symlink_to("gone")
    (folder / "nothing").mkdir()
    with pytest.raises(UsageError, match=message):
        expand([argument])


def test_permission(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() == 0:
        monkeypatch.setattr(os, "access", lambda *_: False)
    else:
        (folder / "a.qcow2").chmod(0)
    with pytest.raises(UsageError, match=r"a\.qcow2: permission denied"):
        expand(["a.qcow2"])
