"""EROFS as mkfs.erofs makes it: every layout and LZ4 read like the tree it was made of, other packing named, damage refused."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.disk.images import Tree, host_tree, make_tree, need, read_tree, run, same
from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.disk.filesystems.opening import open_filesystem
from v2vlint.disk.filesystems.probe import probe
from v2vlint.disk.stream import HostFile, MemoryStream
from v2vlint.model.errors import ImageError, Unsupported


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tree(tmp_path_factory.mktemp("erofs"))


@pytest.fixture(scope="module")
def wanted(source: Path) -> Tree:
    return host_tree(source)


def made(folder: Path, source: Path, *options: str) -> FileSystem:
    need("mkfs.erofs")
    run("mkfs.erofs", *options, folder / "image", source)
    stream = HostFile(str(folder / "image"))
    return open_filesystem(probe(stream), [stream])


@pytest.mark.parametrize(
    "options",
    [(), ("-zlz4",), ("-zlz4hc", "-Eforce-inode-extended"), ("--chunksize=65536",), ("-Eforce-inode-compact",), ("-Enoinline_data",)],
)
def test_every_layout(tmp_path: Path, source: Path, wanted: Tree, options: tuple[str, ...]) -> None:
    system = made(tmp_path, source, "-T0", *options)
    same(read_tree(system), wanted)


def test_other_packing_is_named(tmp_path: Path, source: Path) -> None:
    for number, options in enumerate((("-zlz4hc", "-C65536"), ("-zlz4", "-Elegacy-compress"))):
        folder = tmp_path / str(number)
        folder.mkdir()
        with pytest.raises((Unsupported, ImageError), match="not supported"):
            read_tree(made(folder, source, *options))


def test_damage_ends_in_a_reason(tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for number in range(5):
        (tmp_path / f"few/file{number}").write_bytes(b"content " * 1000 * number)
    made(tmp_path, tmp_path / "few", "-zlz4")
    whole, draw = (tmp_path / "image").read_bytes(), random.Random(3)
    for _try in range(150):
        data = bytearray(whole)
        for _byte in range(8):
            data[draw.randrange(1024, len(data))] = draw.randrange(256)
        stream = MemoryStream(bytes(data))
        try:
            read_tree(open_filesystem(probe(stream), [stream]))
        except (ImageError, ValueError, RecursionError, AssertionError):
            continue
