"""Filesystem images inside an initramfs: files and links of the tree they were made of, content of what is wanted, damage, limits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

from tests.disk.images import need, run
from v2vlint.disk.filesystems import nested_image
from v2vlint.disk.filesystems.nested_image import NestedEntry, NestedImageError, entries
from v2vlint.disk.filesystems.node import Kind, Stat

WAYS = {
    "squashfs": ("mksquashfs", "FOLDER", "IMAGE", "-quiet", "-no-progress"),
    "erofs": ("mkfs.erofs", "IMAGE", "FOLDER"),
    "packed erofs": ("mkfs.erofs", "-zlz4", "IMAGE", "FOLDER"),
    "erofs packed in large clusters": ("mkfs.erofs", "-zlz4hc", "-C65536", "IMAGE", "FOLDER"),
}
TEXT = b"all work and no play\n" * 2000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    top = tmp_path / "top"
    (top / "a/b").mkdir(parents=True)
    (top / "a/small").write_bytes(b"small")
    (top / "a/b/text").write_bytes(TEXT)
    (top / "other").write_bytes(b"not wanted")
    (top / "a/link").symlink_to("b/text")
    return top


def made(way: str, folder: Path) -> bytes:
    image = folder.parent / "image"
    words = [{"FOLDER": str(folder), "IMAGE": str(image)}.get(word, word) for word in WAYS[way]]
    need(words[0])
    run(*words)
    return image.read_bytes()


@pytest.mark.parametrize("way", WAYS)
def test_files_and_links(folder: Path, way: str) -> None:
    kind, found = entries(made(way, folder), lambda path, size: path.startswith("a/") and size < 1 << 20)
    unread = way == "erofs packed in large clusters"
    assert kind == ("squashfs" if way == "squashfs" else "erofs")
    assert sorted(found, key=lambda entry: entry.path) == [
        NestedEntry("a/b/text", len(TEXT), None if unread else TEXT),
        NestedEntry("a/link", 0, link="b/text"),
        NestedEntry("a/small", 5, b"small"),
        NestedEntry("other", 10),
    ]


@pytest.mark.parametrize("data", [b"", b"hsq", bytes(1024) + b"\xe2\xe1\xf5", b"sqsh" + bytes(2000)])
def test_anything_else_is_no_image(data: bytes) -> None:
    with pytest.raises(NestedImageError, match="neither a squashfs nor an EROFS"):
        entries(data, lambda _path, _size: True)


def test_damage_and_limits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made("squashfs", folder)
    with pytest.raises(NestedImageError, match="is damaged"):
        list(entries(data[:200], lambda _path, _size: True)[1])
    monkeypatch.setattr(nested_image, "MAX_FOLDERS", 3)
    assert len(list(entries(data, lambda _path, _size: False)[1])) == 4
    monkeypatch.setattr(nested_image, "MAX_FOLDERS", 2)
    with pytest.raises(NestedImageError, match="more than 2 folders"):
        list(entries(data, lambda _path, _size: False)[1])
    monkeypatch.setattr(nested_image, "MAX_DEPTH", 1)
    assert {entry.path for entry in entries(data, lambda _path, _size: False)[1]} == {"other", "a/small", "a/link"}


class Ring:
    """A folder that contains itself twice, as a damaged image may."""

    def stat(self) -> Stat:
        return Stat(Kind.DIR, 0)

    def names(self) -> Iterator[str]:
        return iter("ab")

    def child(self, _name: str) -> Ring:
        return self

    def link(self) -> str:
        raise NotImplementedError

    def open(self) -> BinaryIO:
        raise NotImplementedError


def test_a_folder_that_contains_itself_comes_to_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nested_image, "MAX_FOLDERS", 1000)
    with pytest.raises(NestedImageError, match="more than 1000 folders"):
        list(nested_image._walk(Ring(), lambda _path, _size: True))
