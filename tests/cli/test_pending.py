"""A transaction that was not finished is told by every verb that reads the image, and by the pytest plugin, with what resolves it."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import pytest

from guestbuild.samples import cached
from tests.fixing import stand_in
from tests.fixing.stand_in import EDITS, patched
from v2vlint import proving, target
from v2vlint.cli.main import main
from v2vlint.fixing.transaction import WritableDisk
from v2vlint.model.errors import ImageError
from v2vlint.model.source import GuestRef

pytest_plugins = ("pytester",)
WORDS = {
    "editing": "before it changed the image",
    "committing": "neither the old guest nor the new one",
    "undoing": "an undo was interrupted",
}


@pytest.fixture
def image(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A guest in a folder of its own, and a state folder."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    monkeypatch.setenv("V2VLINT_STATE", str(state))
    (tmp_path / "in").mkdir()
    return Path(shutil.copy(cached("debian-portable")[0], tmp_path / "in/disk.qcow2"))


def _interrupted(image: Path, state: str) -> None:
    work = stand_in.undo if state == "undoing" else functools.partial(stand_in.fix, title="a fix")
    with patched(EDITS[1][:1]):
        if state == "undoing":
            stand_in.fix([WritableDisk(image, "raw")], "a fix")
        assert stand_in.killed_at(0, functools.partial(work, [WritableDisk(image, "raw")]), state) == state


@pytest.mark.parametrize("state", WORDS)
@pytest.mark.parametrize("verb", ["check", "inspect"])
def test_check_and_inspect_tell(image: Path, capsys: pytest.CaptureFixture[str], state: str, verb: str) -> None:
    _interrupted(image, state)
    link = image.with_name("link.qcow2")
    link.symlink_to(image)
    command = [verb, str(link), "--format", "json", *(["--no-config"] if verb == "check" else [])]
    assert main(command) == 3
    said = capsys.readouterr().out
    assert WORDS[state] in said
    assert f"v2vlint undo {image}" in said
    assert main(["undo", str(link)]) == 0
    capsys.readouterr()
    assert main(command) == 0
    assert "interrupted" not in capsys.readouterr().out


@pytest.mark.parametrize("verb", [["fix", "--diff"], ["fix", "-o", "{}/new.qcow2"], ["define"]])
def test_nothing_is_made_of_it(image: Path, capsys: pytest.CaptureFixture[str], verb: list[str]) -> None:
    _interrupted(image, "committing")
    command = [*(word.format(image.parent) for word in verb), str(image), "--no-config"]
    assert main(command if verb != ["define"] else command[:-1]) == 3
    assert f"v2vlint undo {image}" in " ".join(capsys.readouterr().err.split())
    assert not (image.parent / "new.qcow2").exists()


def test_prove_does_not_boot_it(image: Path) -> None:
    _interrupted(image, "committing")
    with pytest.raises(ImageError, match="neither the old guest nor the new one") as caught:
        proving.prove(GuestRef(str(image), "disks", (str(image),)), target.load("kvm"))
    assert "v2vlint undo" in caught.value.hint


@pytest.mark.slow
def test_the_pytest_plugin_tells(image: Path, pytester: pytest.Pytester) -> None:
    _interrupted(image, "committing")
    pytester.makepyfile(f"def test_it(v2vlint_open):\n    assert v2vlint_open({str(image)!r}).os\n")
    result = pytester.runpytest_subprocess("--v2vlint", str(image), "test_the_pytest_plugin_tells.py")
    assert result.ret == 1
    assert str(result.stdout).count("neither the old guest nor the new one") >= 2
