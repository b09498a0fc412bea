"""Arguments become guests; a wrong one is named with its reason."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from v2vlint.model.errors import ImageError, NothingFound
from v2vlint.source.expand import expand
from v2vlint.source.locate import locate


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
        ("vm", [("vm/vm.vmdk", "disks", ("vm/vm.vmdk",)), ("vm/vm.vmx", "vmx", ("vm/vm.vmx",))]),
        ("split", [("split/s.vmdk", "disks", ("split/s.vmdk",))]),
        ("split/../split", [("split/../split/s.vmdk", "disks", ("split/../split/s.vmdk",))]),
    ],
)
def test_arguments(folder: Path, argument: str, wanted: list[tuple[str, str, tuple[str, ...]]]) -> None:
    assert refs(argument) == wanted


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("missing.qcow2", "missing.qcow2: no such file or directory"),
        ("missing.vmx", "missing.vmx: no such file or directory"),
        ("a.qcow2+missing", "missing: no such file or directory"),
        ("pipe", "pipe: not a file or block device"),
        ("dangling", "dangling: no such file or directory"),
        ("closed.qcow2", "closed.qcow2: permission denied"),
        ("domain:nobody", "domain:nobody: "),
    ],
)
def test_what_cannot_be_read_is_a_guest_with_a_problem(folder: Path, argument: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo("pipe")
    (folder / "dangling").symlink_to("gone")
    (folder / "closed.qcow2").touch()
    monkeypatch.setattr(os, "access", lambda path, _mode: path != "closed.qcow2")
    broken, whole = expand([argument, "a.qcow2"])
    assert broken.name == argument
    assert broken.problem.startswith(message)
    assert whole.problem == ""
    with pytest.raises(ImageError, match=re.escape(message)):
        locate(broken)


@pytest.mark.parametrize(
    ("argument", "message"), [("*.vdi", r"\*.vdi: no file matches"), ("nothing", "nothing: a folder without disk images")]
)
def test_where_nothing_is_found(folder: Path, argument: str, message: str) -> None:
    (folder / "nothing").mkdir()
    with pytest.raises(NothingFound, match=message):
        expand([argument, argument])
    broken, whole = expand([argument, "a.qcow2"])
    assert re.match(message, broken.problem)
    assert (whole.name, whole.problem) == ("a.qcow2", "")
