"""newc archives, as cpio(1) writes them and as nobody should."""

from __future__ import annotations

import io
import shutil
import subprocess
from pathlib import Path

import pytest

from v2vlint.facts.initramfs.cpio import TRAILER, CpioMember, PieceInput, SourceInput, members, newc
from v2vlint.facts.initramfs.decompress import Damaged, Source

GOOD = newc({"init": b"#!/bin/sh\n", "bin": "usr/bin", "usr/lib/a.ko": b"x" * 5000})


def _pieces(data: bytes, size: int) -> PieceInput:
    return PieceInput(data[at : at + size] for at in range(0, len(data), size))


def _source(data: bytes) -> SourceInput:
    return SourceInput(Source(io.BytesIO(b"??" + data), 2, len(data)), 0)


def _wanted(path: str, mode: int, size: int) -> bool:
    return mode & 0o170000 == 0o120000 or path == "init"


@pytest.mark.parametrize("size", [1, 3, 111, 4096, 1 << 20])
def test_members_whatever_the_pieces(size: int) -> None:
    found = list(members(_pieces(GOOD, size), _wanted))
    assert [(member.name, member.size, member.data) for member in found] == [
        ("init", 10, b"#!/bin/sh\n"),
        ("bin", 7, b"usr/bin"),
        ("usr/lib/a.ko", 5000, None),
    ]
    assert [member.is_link for member in found] == [False, True, False]


def test_a_source_is_left_behind_the_trailer() -> None:
    data = _source(GOOD + bytes(300) + b"next")
    assert len(list(members(data, _wanted))) == 3
    assert data.position == len(GOOD)
    assert data.skip_zeros()
    assert data.take(10) == b"next"
    assert not data.skip_zeros()


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_the_same_names_as_cpio_lists(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for name in ("a", "usr/lib/modules/6.1/kernel/x.ko", "empty", "with space/ü", "n" * 200):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_bytes(b"" if name == "empty" else name.encode() * 3)
    (tree / "lib").symlink_to("usr/lib")
    names = subprocess.run(["find", ".", "-print0"], cwd=tree, capture_output=True, check=True).stdout
    for kind in ("newc", "crc"):
        made = subprocess.run(["cpio", "-0o", "--quiet", "-H", kind], input=names, cwd=tree, capture_output=True, check=True).stdout
        listed = subprocess.run(["cpio", "-t", "--quiet"], input=made, capture_output=True, check=True).stdout.decode()
        found = [member.name for member in members(_pieces(made, 777), _wanted)]
        assert sorted(name for name in found if name) == sorted(name for name in listed.splitlines() if name != ".")


@pytest.mark.parametrize(("prefix", "name"), [("./", "etc/x"), ("/", "etc/x"), (".//./", "etc/x"), ("", ".hidden"), ("", "..dots")])
def test_leading_dots_and_slashes_go(prefix: str, name: str) -> None:
    assert [member.name for member in members(_pieces(newc({f"{prefix}{name}": b""}), 4096), _wanted)] == [name]


def _broken(field: int, digits: bytes) -> bytes:
    at = 6 + 8 * field
    return GOOD[:at] + digits + GOOD[at + 8 :]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:60],
        GOOD[:-200],
        b"070707" + GOOD[6:],
        _broken(6, b"zzzzzzzz"),
        _broken(11, b"00000000"),
        _broken(11, b"00ffffff"),
        _broken(6, b"ffffffff"),
        _broken(1, b"-0000001"),
        newc({"a": b"1"})[:-124] + b"\xff" * 124,
    ],
)
def test_damage_is_named(data: bytes) -> None:
    for make in (lambda: _pieces(data, 64), lambda: _source(data)):
        with pytest.raises(Damaged):
            list(members(make(), _wanted))


def test_a_member_knows_its_kind() -> None:
    assert CpioMember("a", 0o040755, 0).is_dir
    assert not CpioMember("a", 0o100644, 0).is_dir
    assert TRAILER in GOOD
