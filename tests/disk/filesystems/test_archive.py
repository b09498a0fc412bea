"""tar archives read like the tree that tar(1) unpacks: links, owners, times, odd members, layers over layers, packing, limits."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from tests.disk.images import host_tree, make_tree, read_tree, run, same
from v2vlint.disk.filesystems import archive
from v2vlint.disk.filesystems.archive import ArchiveFileSystem
from v2vlint.disk.filesystems.node import Kind, Node
from v2vlint.disk.stream import HostFile, MemoryStream
from v2vlint.model.errors import ImageError

MEMBERS = {"f": tarfile.REGTYPE, "d": tarfile.DIRTYPE, "l": tarfile.SYMTYPE, "h": tarfile.LNKTYPE, "c": tarfile.CHRTYPE}


def packed(*members: tuple[str, str, str]) -> bytes:
    """An archive of members: a letter of MEMBERS, a name, and the content or the target."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as file:
        for letter, name, more in members:
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid, info.mtime = MEMBERS[letter], 0o7654, 12, 34, 1_000_000
            info.linkname, data = (more, b"") if letter in "lh" else ("", more.encode())
            info.size = len(data)
            file.addfile(info, io.BytesIO(data))
    return held.getvalue()


def merged(*archives: bytes, layers: bool = False) -> ArchiveFileSystem:
    system = ArchiveFileSystem(layers=True) if layers else ArchiveFileSystem()
    for number, data in enumerate(archives):
        system.add(str(number), MemoryStream(data))
    return system


def at(system: ArchiveFileSystem, path: str) -> Node | None:
    node: Node | None = system.root
    for name in path.split("/"):
        node = node.child(name) if node else None
    return node


def content(system: ArchiveFileSystem, path: str) -> bytes | None:
    node = at(system, path)
    return node.open().read() if node else None


def paths(system: ArchiveFileSystem) -> dict[str, object]:
    """What each path is: a link's target, None for a folder, the content of a file."""
    kinds = {name: entry[0] for name, entry in read_tree(system).items()}
    return {name: None if kind == "dir" else entry[1] if kind == "link" else content(system, name)
            for (name, kind), entry in zip(kinds.items(), read_tree(system).values(), strict=True)}  # fmt: skip


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "xz": lzma.compress,
    "bzip2": bz2.compress,
    "zstd": zstandard.compress,
}


@pytest.mark.parametrize("packer", PACKERS)
def test_what_tar_packed_is_the_tree(tmp_path: Path, packer: str) -> None:
    top = make_tree(tmp_path / "root", odd=False)
    os.link(top / "etc/fstab", top / "etc/hardlink")
    run("tar", "-cf", tmp_path / "tar", "-C", top, ".")
    (tmp_path / "packed").write_bytes(PACKERS[packer]((tmp_path / "tar").read_bytes()))
    system = ArchiveFileSystem()
    system.add("a", HostFile(str(tmp_path / "packed")))
    same(read_tree(system), host_tree(top))
    assert system.root.stat().mode == top.stat().st_mode & 0o7777


def test_a_member_has_its_owner_its_mode_and_its_time() -> None:
    system = merged(packed(("f", "a/file", "12345"), ("d", "b", ""), ("c", "b/null", "")))
    found, made, null = at(system, "a/file"), at(system, "a"), at(system, "b/null")
    assert found is not None
    assert made is not None
    assert null is not None
    stat = found.stat()
    assert (stat.kind, stat.size, stat.mode, stat.uid, stat.gid, stat.mtime) == (Kind.FILE, 5, 0o7654, 12, 34, 1_000_000.0)
    assert (made.stat().kind, made.stat().size, made.stat().mode, made.stat().uid) == (Kind.DIR, 0, 0o755, 0)
    assert null.stat().kind is Kind.OTHER
    with pytest.raises(ImageError, match="not a file"):
        null.open()
    assert merged(packed(("d", "./", ""))).root.stat().mode == 0o7654


def test_hard_links_are_the_file_itself() -> None:
    system = merged(packed(("f", "a/file", "x"), ("h", "b", "./a//file"), ("h", "lost", "a/nothing"), ("h", "below", "a/file/x")))
    assert content(system, "b") == b"x"
    assert [node.stat().kind for name in ("lost", "below") if (node := at(system, name))] == [Kind.OTHER] * 2


def test_names_that_lead_out_or_too_deep_are_left_out() -> None:
    deep = "/".join(["d"] * 63)
    system = merged(
        packed(("f", "../up", ""), ("f", "a/../b", ""), ("f", f"{deep}/last", "x"), ("f", f"{deep}/d/more", "y"), ("f", "/abs", "z"))
    )
    assert sorted(system.root.names()) == ["abs", "d"]
    assert content(system, f"{deep}/last") == b"x"
    assert at(system, f"{deep}/d") is None


def test_later_archives_lie_over_earlier_ones() -> None:
    below = packed(("d", "keep", ""), ("f", "keep/one", "1"), ("f", "both", "old"), ("f", "was-file", "f"), ("d", "was-folder", ""),
                   ("f", "was-folder/x", "x"), ("f", ".wh.kept", "a name like any"))  # fmt: skip
    above = packed(
        ("d", "keep", ""), ("f", "keep/two", "2"), ("f", "both", "new"), ("f", "was-file/inside", "i"), ("l", "was-folder", "keep")
    )
    assert paths(merged(below, above)) == {
        "keep": None, "keep/one": b"1", "keep/two": b"2", "both": b"new", "was-file": None, "was-file/inside": b"i", "was-folder": "keep",
        ".wh.kept": b"a name like any",
    }  # fmt: skip


def test_whiteouts_hide_what_lower_layers_have() -> None:
    below = packed(("f", "etc/a", "1"), ("f", "etc/b", "1"), ("f", "opt/x/old", "1"), ("f", "opt/x/sub/old", "1"), ("f", "gone/x", ""))
    above = packed(("f", "etc/a", "2"), ("f", "etc/.wh.a", ""), ("f", "etc/.wh.b", ""), ("f", "etc/.wh.never", ""), ("d", "opt/x", ""),
                   ("f", "opt/x/new", "2"), ("f", "opt/x/.wh..wh..opq", ""), ("f", ".wh.gone", ""), ("f", "made/f", "3"))  # fmt: skip
    found = paths(merged(below, above, packed(("f", "made/.wh.f", "")), layers=True))
    assert {name for name, data in found.items() if data is not None} == {"etc/a", "opt/x/new"}
    assert {name for name, data in found.items() if data is None} == {"etc", "opt", "opt/x", "made"}
    assert found["etc/a"] == b"2"


def test_an_opaque_folder_is_emptied_once(monkeypatch: pytest.MonkeyPatch) -> None:
    below = packed(("f", "a/old", ""), ("f", "a/b/old", ""))
    above = packed(("f", "a/b/new", ""), *[("f", "a/.wh..wh..opq", ""), ("f", "a/b/.wh..wh..opq", "")] * 3, ("f", "a/late", ""),
                   ("f", "a/.wh..wh..opq", ""))  # fmt: skip
    asked = set[int]()
    plain = archive._hide

    def hide(folder: archive.ArchiveEntry, new: set[tuple[int, str]]) -> None:
        before = len(new)
        plain(folder, new)
        asked.add(len(new) - before)

    monkeypatch.setattr(archive, "_hide", hide)
    found = paths(merged(below, above, layers=True))
    assert (set(found), asked) == ({"a", "a/b", "a/b/new", "a/late"}, {0, 1, 2})


@pytest.mark.parametrize(("length", "kept"), [(4096, True), (4097, False)])
def test_the_longest_link_that_is_followed(length: int, kept: bool) -> None:
    """Each member below a link follows it again."""
    way = f"{'./' * (length // 2)}"[: length - 4] + "/lib"
    found = paths(merged(packed(("d", "lib", ""), ("l", "link", way), ("f", "link/x", ""))))
    assert (len(way), "lib/x" in found) == (length, kept)


def test_zstd_of_several_frames_with_a_window_up_to_the_limit() -> None:
    data = packed(("f", "first", "x" * 5000), ("f", "last", "y"))
    assert content(merged(zstandard.compress(data[:3000]) + zstandard.compress(data[3000:])), "last") == b"y"
    for log, error in ((27, ""), (28, "too much memory|Frame requires")):
        packer = zstandard.ZstdCompressor(compression_params=zstandard.ZstdCompressionParameters(window_log=log)).compressobj()
        frame = packer.compress(data) + packer.flush()
        if error:
            with pytest.raises(Exception, match=error):
                merged(frame)
        else:
            assert content(merged(frame), "last") == b"y"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    data = packed(("f", "a", "1234567890"), ("f", "b", "12345678901"), ("f", "c", "123"), ("d", "d", ""))
    monkeypatch.setattr(archive, "MAX_KEPT_FILE", 10)
    system = merged(gzip.compress(data))
    assert content(system, "a") == b"1234567890"
    with pytest.raises(ImageError, match="unpack it first"):
        content(system, "b")
    monkeypatch.setattr(archive, "MAX_KEPT", 12)
    with pytest.raises(ImageError, match="unpack it first"):
        content(merged(gzip.compress(data)), "c")
    assert content(merged(data), "b") == b"12345678901"
    monkeypatch.setattr(archive, "MAX_ENTRIES", 4)
    merged(data)
    with pytest.raises(ImageError, match="1: more than 4 files in it"):
        merged(data, packed(("f", "a", "")))


@pytest.mark.parametrize("data", [b"", b"no archive" * 100, gzip.compress(packed(("f", "a", "x" * 9000)), mtime=0)[:60], b"BZh9damaged",
    b"\xfd7zXZ\0bad",
                                  b"\x1f\x8b\x08bad"])  # fmt: skip
def test_a_damaged_archive_is_an_error_of_the_image(data: bytes) -> None:
    with pytest.raises(ImageError, match="0: not a tar archive that can be read"):
        merged(data)


CONTENT = (("d", "etc", ""), ("f", "etc/fstab", "x" * 700), ("f", "etc/hostname", "web1\n"), ("f", "data", os.urandom(300).hex() * 40))


@pytest.mark.parametrize("packer", PACKERS)
def test_an_archive_that_is_cut_short_is_whole_or_an_error(packer: str) -> None:
    plain = packed(*CONTENT)
    data, tree = PACKERS[packer](plain), paths(merged(plain))
    step = 128 if packer == "plain" else len(data) // 40
    refused = 0
    for length in range(0, len(data), step):
        try:
            system = merged(data[:length])
        except ImageError:
            refused += 1
        else:
            assert paths(system) == tree
    # A plain one is whole with the first block of its end, an xz one needs all of its index.
    assert refused > (len(plain.rstrip(b"\0")) // step if packer == "plain" else 30)


@pytest.mark.parametrize("packer", PACKERS)
def test_a_header_that_is_damaged_in_the_middle_is_an_error(packer: str) -> None:
    plain = bytearray(packed(*CONTENT))
    plain[512 + 148] ^= 1  # the checksum of the second member
    with pytest.raises(ImageError, match="cut short or damaged after 1 members"):
        merged(PACKERS[packer](bytes(plain)))


def test_layers_may_lack_their_ends() -> None:
    data = packed(*CONTENT)
    open_ended = data.rstrip(b"\0")
    open_ended += bytes(-len(open_ended) % 512)
    assert paths(merged(open_ended, layers=True)) == paths(merged(data))
    with pytest.raises(ImageError, match="no end mark after 4 members"):
        merged(open_ended)


def test_the_checksum_of_a_packed_archive_counts() -> None:
    data = bytearray(gzip.compress(packed(*CONTENT)))
    data[-8] ^= 1
    with pytest.raises(ImageError, match="CRC check failed"):
        merged(bytes(data))


@pytest.mark.parametrize(("data", "kind"), [(b"PK\3\4", "a ZIP archive"), (b"070701", "a cpio archive"), (b"\x04\x22\x4d\x18", "lz4")])
def test_another_kind_of_archive_is_named(data: bytes, kind: str) -> None:
    with pytest.raises(ImageError, match=f"0: {kind}.* is not read") as caught:
        merged(data + os.urandom(2000))
    assert "tree:FOLDER" in caught.value.hint
