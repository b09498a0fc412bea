"""The files of a machine elsewhere as the parent process answers for them: lists, links, content, what is not there."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import pytest

from v2vlint.disk.filesystems import remote
from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.filesystems.remote import RemoteFileSystem
from v2vlint.files import FileMissing, Opened
from v2vlint.model.errors import ImageError

MTIME = 1_700_000_000
TOP = [
    ["etc", 0o040750, 4096, 1, 2, MTIME, ""],
    ["told", 0o120777, 3, 0, 0, 0, "etc"],
    ["untold", 0o120777, 3, 0, 0, 0, ""],
    ["pipe", 0o010600, 0, 0, 0, 0, ""],
]
ETC = [["a b%", 0o104755, 7, 1000, 100, MTIME, ""], ["cut", 0o100644, 9, 0, 0, MTIME, ""]]


class Parent:
    """Answers from a folder, and remembers what it was asked for."""

    def __init__(self, folder: Path, answers: Mapping[str, bytes]) -> None:
        self._folder, self._answers, self.asked = folder, answers, list[str]()

    def open(self, path: str) -> Opened:
        self.asked.append(path)
        if path not in self._answers:
            raise FileMissing(path)
        place = self._folder / str(len(self.asked))
        place.write_bytes(self._answers[path])
        return Opened(path, path, len(self._answers[path]), os.open(place, os.O_RDONLY))


@pytest.fixture
def parent(tmp_path: Path) -> Parent:
    name = quote("/etc/a b%")
    return Parent(tmp_path, {
        "sftp+list://host/": json.dumps(TOP).encode(), "sftp+list://host/etc": json.dumps(ETC).encode(),
        "sftp+link://host/untold": b"elsewhere/\xff", f"sftp://host{name}": b"content",
    })  # fmt: skip


def test_what_the_server_lists(parent: Parent) -> None:
    root = RemoteFileSystem("sftp://host", parent).root
    assert (root.stat().kind, root.stat().size, root.stat().mode) == (Kind.DIR, 0, 0o755)
    assert list(root.names()) == ["etc", "told", "untold", "pipe"]
    assert root.child("missing") is None
    etc = root.child("etc")
    assert etc is not None
    assert list(etc.names()) == ["a b%", "cut"]
    file = etc.child("a b%")
    assert file is not None
    found = file.stat()
    assert (found.kind, found.size, found.mode, found.uid, found.gid, found.mtime) == (Kind.FILE, 7, 0o4755, 1000, 100, float(MTIME))
    assert file.open().read() == b"content"
    assert parent.asked == ["sftp+list://host/", "sftp+list://host/etc", "sftp://host/etc/a%20b%25"]
    with pytest.raises(FileMissing):
        etc.child("cut").open()  # type: ignore[union-attr]


def test_links_and_what_is_no_file(parent: Parent) -> None:
    root = RemoteFileSystem("sftp://host", parent).root
    told, untold, pipe, etc = (root.child(name) for name in ("told", "untold", "pipe", "etc"))
    assert told is not None
    assert untold is not None
    assert pipe is not None
    assert etc is not None
    assert (told.link(), untold.link()) == ("etc", "elsewhere/\udcff")
    assert [node.stat().kind for node in (told, pipe, etc)] == [Kind.LINK, Kind.OTHER, Kind.DIR]
    for node in (told, pipe, etc):
        with pytest.raises(ImageError, match="not a regular file"):
            node.open()


def test_only_the_scheme_of_the_url_changes(tmp_path: Path) -> None:
    parent = Parent(tmp_path, {"sftp+list://host/a/sftp://b/": b"[]", "sftp+list://host/sftp%3A//x": b"[]"})
    assert RemoteFileSystem("sftp://host/a/sftp://b", parent).listed("") == {}
    assert RemoteFileSystem("sftp://host", parent).listed("/sftp://x") == {}


def test_a_list_has_a_limit(parent: Parent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MAX_LISTING", len(json.dumps(ETC)))
    system = RemoteFileSystem("sftp://host", parent)
    assert set(system.listed("/etc")) == {"a b%", "cut"}
    with pytest.raises(ImageError, match="too long a list"):
        system.listed("")
