"""newc archives, as cpio(1) writes them and as nobody should."""

from __future__ import annotations

import io
import os
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


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_every_name_of_a_file_has_its_data(tmp_path: Path) -> None:
    """dracut runs hardlink(1) over what it packs; cpio(1) stores the data with the last name, and the kernel links them."""
    for name in ("a", "init", "z"):
        (tmp_path / name).write_bytes(b"same") if name == "a" else os.link(tmp_path / "a", tmp_path / name)
    for names in (b"a\ninit\nz\n", b"a\nz\ninit\n"):
        made = subprocess.run(["cpio", "-o", "--quiet", "-H", "newc"], input=names, cwd=tmp_path, capture_output=True, check=True).stdout
        found = list(members(_pieces(made, 4096), _wanted))
        assert {member.name for member in found} == {"a", "init", "z"}
        assert {member.name: member.data for member in found}["init"] == b"same"


def _member(name: bytes, mode: int, data: bytes) -> bytes:
    head = b"070701" + b"".join(b"%08X" % field for field in (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)) + name
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)


@pytest.mark.parametrize("size", [1, 4096, 1 << 20])
def test_the_kernel_steps_over_what_it_cannot_create(size: int) -> None:
    """``do_header()``: names and targets longer than PATH_MAX, and folders and devices with content. Names end at a zero byte."""
    skipped = [
        _member(b"n" * 5000 + b"\0", 0o100644, b"data"), _member(b"", 0o100644, b"data"), _member(b"long\0", 0o120777, b"t" * 4097),
        _member(b"dir\0", 0o040755, b"data"), _member(b"null\0", 0o020666, b"x"), _member(b"TRAILER!!!\0", 0o040755, b"x"),
    ]  # fmt: skip
    kept = [
        _member(b"most\0", 0o120777, b"t" * 4096),
        _member(b"init\0 or what", 0o100644, b"data"),
        _member(b"n" * 4095 + b"\0", 0o100644, b""),
    ]
    found = list(members(_pieces(b"".join([*skipped, *kept, newc({})]), size), _wanted))
    assert [(one.name, one.size, one.data) for one in found] == [("most", 4096, b"t" * 4096), ("init", 4, b"data"), ("n" * 4095, 0, None)]


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
