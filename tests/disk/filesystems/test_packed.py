"""squashfs and ISO 9660 by their own tools: owners, times, devices, large folders, links, defaults; damaged ones and limits."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from tests.disk.filesystems.nodes import child
from tests.disk.filesystems.spoiling import Spoiled
from tests.disk.images import host_tree, need, read_tree, run, same
from v2vlint.disk.filesystems import lzo, squashfs
from v2vlint.disk.filesystems.iso import IsoFileSystem
from v2vlint.disk.filesystems.node import Kind, Stat
from v2vlint.disk.filesystems.squashfs import SquashFileSystem
from v2vlint.disk.stream import HostFile, MemoryStream
from v2vlint.model.errors import ImageError, Unsupported

PSEUDO = ("null c 666 70000 80000 1 3", "pipe i 4711 5 6 f", "empty f 1751 7 8 true")


@pytest.fixture
def top(tmp_path: Path) -> Path:
    """Files of many sizes around a block of 4 KiB, and a folder whose list needs several blocks of metadata."""
    folder, draw = tmp_path / "top", random.Random(2)
    (folder / "large").mkdir(parents=True)
    for number in range(1500):
        (folder / f"large/{number:04}{'n' * 60}").write_bytes(b"")
    for size in (1, 4095, 4096, 4097, 8192, 20_000):
        (folder / f"of{size}").write_bytes(draw.randbytes(size))
    with (folder / "sparse").open("wb") as file:
        file.truncate(50_000)
        file.seek(30_000)
        file.write(b"x")
    (folder / "link").symlink_to("large")
    (folder / "long").symlink_to("y" * 300)
    return folder


def packed(top: Path, *options: str) -> Path:
    need("mksquashfs")
    image = top.parent / "image"
    words = [word for one in PSEUDO for word in ("-p", one)]
    run("mksquashfs", top, image, "-noappend", "-quiet", "-no-progress", "-b", "4096", "-all-time", "1234567890", *words, *options)
    return image


WAYS = {
    "as usual": (),
    "without packing": ("-noI", "-noD", "-noF"),
    "without fragments": ("-no-fragments",),
    "all in fragments": ("-always-use-fragments",),
}


@pytest.mark.parametrize("options", WAYS.values(), ids=WAYS)
def test_squashfs(top: Path, options: tuple[str, ...]) -> None:
    system = SquashFileSystem(HostFile(str(packed(top, *options))))
    found = read_tree(system)
    assert found.pop("empty")[2] == 0o1751
    same(found, host_tree(top))
    null, pipe, empty = (child(system.root, name).stat() for name in ("null", "pipe", "empty"))
    assert (null.kind, null.size, null.mode, null.uid, null.gid, null.mtime) == (Kind.OTHER, 0, 0o666, 70_000, 80_000, 1234567890.0)
    assert (pipe.kind, pipe.mode, pipe.uid, pipe.gid) == (Kind.OTHER, 0o4711, 5, 6)
    assert (empty.kind, empty.size, empty.uid, empty.gid) == (Kind.FILE, 0, 7, 8)
    assert child(system.root, "link").stat().size == 5
    assert system.root.child("missing") is None


def test_what_is_not_asked_for_of_a_squashfs(top: Path) -> None:
    root = SquashFileSystem(HostFile(str(packed(top)))).root
    file = child(root, "of20000")
    for node, words in ((child(root, "null"), "not a file"), (child(root, "large"), "not a file")):
        with pytest.raises(ImageError, match=words):
            node.open()
    with pytest.raises(ImageError, match="not a directory"):
        list(file.names())
    with pytest.raises(ImageError, match="damaged link"):
        file.link()


SQUASHED: list[tuple[int, bytes, type[ImageError], str]] = [
    (0, b"sqsh", Unsupported, "only squashfs 4"),
    (28, b"\3\0", Unsupported, "only squashfs 4"),
    (28, b"\5\0", Unsupported, "only squashfs 4"),
    (12, b"\xff\x0f\0\0", Unsupported, "blocks of 4095 bytes"),
    (12, b"\1\0\x10\0", Unsupported, "blocks of 1048577 bytes"),
    (20, b"\0\0", Unsupported, "compression 0"),
    (20, b"\7\0", Unsupported, "compression 7"),
]


@pytest.mark.parametrize(("at", "data", "error", "words"), SQUASHED)
def test_a_squashfs_that_is_not_read(top: Path, at: int, data: bytes, error: type[ImageError], words: str) -> None:
    image = packed(top)
    with pytest.raises(error, match=words):
        SquashFileSystem(Spoiled(image, (at, data)))
    with pytest.raises(Unsupported, match="only squashfs 4"):
        SquashFileSystem(MemoryStream(image.read_bytes()[:95]))


def test_limits_of_a_squashfs(top: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = packed(top)
    system = SquashFileSystem(HostFile(str(image)))
    with pytest.raises(ImageError, match="fragment"):
        system.fragment(system._fragments)
    assert system.fragment(system._fragments - 1)
    assert system._id(system._ids) == 0
    monkeypatch.setattr(squashfs, "MAX_BLOCKS", 5)
    assert len(child(system.root, "of20000").open().read()) == 20_000
    monkeypatch.setattr(squashfs, "MAX_BLOCKS", 3)
    with pytest.raises(ImageError, match="a file of 20000 bytes"):
        child(system.root, "of20000").open()
    monkeypatch.setattr(squashfs, "MAX_METADATA", 300)
    assert child(system.root, "long").link() == "y" * 300
    monkeypatch.setattr(squashfs, "MAX_METADATA", 299)
    with pytest.raises(ImageError, match="squashfs metadata of 300 bytes"):
        child(system.root, "long").link()
    empty = SquashFileSystem(Spoiled(image, (system._inode_table, b"\0\x80")))
    with pytest.raises(ImageError, match=r"damaged squashfs metadata|unpack"):
        empty.metadata(empty._inode_table, (0, 0), 16)


def test_a_list_that_was_cut_ends() -> None:
    def listed(count: int, *names: bytes) -> bytes:
        return struct.pack("<III", count, 9, 1) + b"".join(
            struct.pack("<HhHH", at, 0, 2, len(name) - 1) + name for at, name in enumerate(names)
        )

    whole = listed(1, b"a", b"bb") + listed(0, b"c")
    assert list(squashfs._names(whole)) == [("a", (9, 0)), ("bb", (9, 1)), ("c", (9, 0))]
    for end in range(len(whole)):
        found = [name for name, _place in squashfs._names(whole[:end])]
        assert all(whole_name.startswith(name) for name, whole_name in zip(found, ("a", "bb", "c"), strict=False)), end
    many = [b"%03d" % number for number in range(257)]
    assert len(list(squashfs._names(listed(256, *many)))) == 257
    assert len(list(squashfs._names(listed(5000, *many)))) == 257


@pytest.mark.parametrize("options", [("-R",), ("-J",), ()], ids=["rock ridge", "joliet", "plain"])
def test_what_an_iso_does_not_say_has_defaults(tmp_path: Path, options: tuple[str, ...]) -> None:
    need("genisoimage")
    folder = tmp_path / "top"
    (folder / "sub/deeper").mkdir(parents=True)
    (folder / "sub/deeper/file.txt").write_bytes(b"content")
    if options == ("-R",):
        (folder / "link").symlink_to("sub/deeper/file.txt")
    run("genisoimage", "-quiet", *options, "-o", tmp_path / "fs", folder)
    root = IsoFileSystem(HostFile(str(tmp_path / "fs")), "uuid", "label").root
    file = child(root, "sub", "deeper", "file.txt")
    assert file.open().read() == b"content"
    assert file.stat() == Stat(Kind.FILE, 7, 0o644, 0, 0, 0.0)
    assert child(root, "sub").stat() == root.stat() == Stat(Kind.DIR, 0, 0o755, 0, 0, 0.0)
    assert (root.child("missing"), list(child(root, "sub").names())) == (None, ["deeper"])
    if options == ("-R",):
        link = child(root, "link")
        assert (link.stat(), link.link()) == (Stat(Kind.LINK, 0, 0o777), "sub/deeper/file.txt")
        assert set(root.names()) == {"link", "sub"}


@pytest.mark.parametrize("error", [MemoryError, KeyboardInterrupt, SystemExit])
def test_what_stops_the_program_is_no_damage(monkeypatch: pytest.MonkeyPatch, error: type[BaseException]) -> None:
    def stop(*_arguments: object) -> bytes:
        raise error

    monkeypatch.setattr(lzo, "_decompressor", lambda: stop)
    with pytest.raises(error):
        lzo.decompress_block(b"", 1)


@pytest.mark.parametrize(
    ("error", "words"), [(ValueError("bad offset"), "^bad offset$"), (ValueError(), "^ValueError$"), (BaseException(), "^BaseException$")]
)
def test_damage_of_lzo_has_words(monkeypatch: pytest.MonkeyPatch, error: BaseException, words: str) -> None:
    def fail(*_arguments: object) -> bytes:
        raise error

    monkeypatch.setattr(lzo, "_decompressor", lambda: fail)
    with pytest.raises(lzo.LzoError, match=words):
        lzo.decompress_block(b"", 1)
