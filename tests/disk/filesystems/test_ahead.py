"""An archive sent ahead by hand: what is read from it, what is asked for, and what is no archive."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import pytest

from tests.disk.filesystems.nodes import child
from tests.disk.filesystems.test_remote import Parent
from v2vlint.disk.filesystems import ahead
from v2vlint.disk.filesystems.ahead import AheadFileSystem
from v2vlint.disk.filesystems.node import Kind
from v2vlint.disk.filesystems.remote import RemoteFileSystem
from v2vlint.disk.stream import MemoryStream
from v2vlint.model.errors import ImageError

FILES = {"etc/small": b"sent", "etc/sub/deep": b"deep", "var/status": b"packages", "usr/lib/os-release": b"ID=x\n"}
ETC = [["small", 0o100644, 4, 0, 0, 0, ""], ["large", 0o100600, 9, 0, 0, 0, ""], ["sub", 0o040755, 0, 0, 0, 0, ""]]
LISTED = ("d 0755 0 0 0 1.5", "/.", "etc", ">", "l 0777 3 0 0 2", "/.", "bin", ">usr/bin", "f 0644 8 0 0 3", "/usr", "told", ">",
          "f 0644 8 0 0 3", "/usr", "../etc/passwd", ">", "f 0644 8 0 0 3", "/opt", "x", ">")  # fmt: skip


def packed(*, whole: tuple[str, ...] = ("etc", "usr/lib"), lacking: tuple[str, ...] = ("etc/large",)) -> bytes:
    """Four lists of words, and the tar archive."""
    lists = (whole, lacking, (".", "usr"), LISTED)
    words = b"".join(b"".join(word.encode() + b"\0" for word in one) + b"\0" for one in lists)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in FILES.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(content), 0o640
            tar.addfile(member, io.BytesIO(content))
    return words + archive.getvalue()


def parent_of(folder: Path) -> Parent:
    return Parent(folder, {
        "sftp+list://host/etc": json.dumps(ETC).encode(), "sftp://host/etc/large": b"too large",
        "sftp+list://host/var": json.dumps([["status", 0o100644, 8, 0, 0, 0, ""]]).encode(),
    })  # fmt: skip


def system_of(parent: Parent, data: bytes) -> AheadFileSystem:
    return AheadFileSystem(RemoteFileSystem("sftp://host", parent), MemoryStream(data))  # type: ignore[arg-type]


def test_what_was_sent_is_read_from_the_archive(tmp_path: Path) -> None:
    parent = parent_of(tmp_path)
    root = system_of(parent, packed()).root
    assert list(root.names()) == ["etc", "bin"]
    assert child(root, "bin").link() == "usr/bin"
    assert (child(root, "etc").stat().kind, child(root, "etc").stat().mode, child(root, "etc").stat().mtime) == (Kind.DIR, 0o755, 1.5)
    assert list(system_of(parent, packed()).far.listed("/usr")) == ["told"], "no name leads elsewhere"
    assert parent.asked == []
    deep = child(root, "etc", "sub", "deep")
    assert (deep.open().read(), deep.stat().mode) == (b"deep", 0o640)
    assert root.child("missing") is None
    assert parent.asked == ["sftp+list://host/etc"], "the folder of what is lacking, no other"


def test_a_folder_that_lacks_something_is_listed_by_the_machine(tmp_path: Path) -> None:
    parent = parent_of(tmp_path)
    etc = child(system_of(parent, packed()).root, "etc")
    assert list(etc.names()) == ["small", "large", "sub"]
    small, large = child(etc, "small"), child(etc, "large")
    assert (small.open().read(), small.stat().mode) == (b"sent", 0o640)
    assert parent.asked == ["sftp+list://host/etc"]
    assert large.open().read() == b"too large"
    assert list(child(etc, "sub").names()) == ["deep"]


def test_folders_that_are_there_as_a_whole(tmp_path: Path) -> None:
    system = system_of(parent_of(tmp_path), packed(lacking=("etc/sub/x/huge",)))
    whole = {path: system.has_all_of(path) for path in ("", "/etc", "/etc/sub", "/etc/sub/x", "/etc/sub/x/y", "/usr", "/usr/lib", "/var")}
    assert whole == {
        "": False,
        "/etc": True,
        "/etc/sub": True,
        "/etc/sub/x": False,
        "/etc/sub/x/y": True,
        "/usr": False,
        "/usr/lib": True,
        "/var": False,
    }
    assert list(child(system.root, "etc").names()) == ["small", "sub"]


def test_without_whole_folders_everything_is_asked_for(tmp_path: Path) -> None:
    parent = parent_of(tmp_path)
    root = system_of(parent, packed(whole=(), lacking=())).root
    assert list(child(root, "etc").names()) == ["small", "large", "sub"]
    assert parent.asked == ["sftp+list://host/etc"]


def test_an_archive_that_is_cut_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed()
    lists = data.index(b"etc/small") - 1
    assert list(system_of(parent_of(tmp_path), data).root.names()) == ["etc", "bin"]
    for end in range(lists):
        with pytest.raises(ImageError, match=r"cut short|no archive|cannot be read|damaged"):
            system_of(parent_of(tmp_path), data[:end])
    monkeypatch.setattr(ahead, "MAX_HEAD", lists)
    with pytest.raises(ImageError, match="cut short"):
        system_of(parent_of(tmp_path), data)
