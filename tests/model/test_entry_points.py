"""Entry points are those that importlib.metadata finds."""

from __future__ import annotations

import sys
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from v2vlint.model.entry_points import EntryPoint, entry_points

SOME = "[other]\nx = y\n\n[made.group]\n# none\none = package.part\n two=package : name [extra, more]\n\n[last]\nthree = package\n"


def _theirs(group: str) -> list[tuple[str, str, str]]:
    return sorted((one.name, one.value, one.module) for one in metadata.entry_points(group=group))


def _ours(group: str) -> list[tuple[str, str, str]]:
    return sorted((one.name, one.value, one.module) for one in entry_points(group))


def _distribution(folder: Path, name: str, text: str) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / "entry_points.txt").write_text(text)
    (folder / name / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name.partition('-')[0]}\nVersion: 1\n")


@pytest.mark.parametrize("group", ["v2vlint.rules", "v2vlint.reports", "pytest11", "console_scripts"])
def test_of_what_is_installed(group: str) -> None:
    assert _ours(group) == _theirs(group)


def test_of_made_up_distributions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _distribution(tmp_path / "a", "Some_Pack-1.0.dist-info", SOME)
    _distribution(tmp_path / "a", "empty-1.0.dist-info", "")
    _distribution(tmp_path / "a", "old.egg-info", "[made.group]\nold = old_package\n")
    _distribution(tmp_path / "b", "some.pack-2.0.dist-info", "[made.group]\nhidden = by_the_first\n")
    for place in ("a", "b", "missing"):
        monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / place)])
    assert _ours("made.group") == _theirs("made.group")
    assert {one.name for one in entry_points("made.group")} == {"one", "two", "old"}


def test_of_an_archive_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "packed.zip", "w") as archive:
        archive.writestr("packed-1.dist-info/entry_points.txt", "[made.group]\npacked = inside\n")
        archive.writestr("packed-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: packed\nVersion: 1\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "packed.zip")])
    assert entry_points("made.group") == (EntryPoint("packed", "inside"),)
