"""Encryption opened with keys, LVM metadata and MD superblocks that tools made, and what must not be believed of damaged ones."""

from __future__ import annotations

import random
import struct
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import Tree, ext, make_tree, open_paths, problems, root_tree, run, same
from v2vlint.disk.stream import HostFile, Joined, MemoryStream, Piece, Striped
from v2vlint.disk.volumes.md import Raid0, read_member
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import ImageError, Unsupported, UsageError
from v2vlint.model.report import Problem
from v2vlint.model.source import Key, Keys
from v2vlint.run.keys import collect, fitting

KEY = b"correct horse"


@pytest.fixture(scope="module")
def luks1(tmp_path_factory: pytest.TempPathFactory, plain: Path) -> Path:
    """QEMU's LUKS driver writes LUKS1."""
    folder = tmp_path_factory.mktemp("luks1")
    (folder / "key").write_bytes(KEY)
    secret = ("--object", f"secret,id=s,file={folder}/key", "-o", "key-secret=s,iter-time=10")
    run("qemu-img", "convert", "-f", "raw", "-O", "luks", *secret, plain, folder / "disk")
    return folder / "disk"


def luks2(folder: Path, plain: Path, *options: str) -> Path:
    """Encrypted in place by cryptsetup, which needs neither root nor the kernel for that."""
    (folder / "key").write_bytes(KEY)
    (folder / "disk").write_bytes(plain.read_bytes() + bytes(32 << 20))
    kdf = ("--pbkdf", "argon2id", "--pbkdf-memory", "8192", "--pbkdf-force-iterations", "4", "--pbkdf-parallel", "1")
    common = ("-q", "--disable-locks", "--encrypt", "--type", "luks2", "--reduce-device-size", "32M", "--key-file", folder / "key")
    run("cryptsetup", "reencrypt", *common, *kdf, *options, folder / "disk", cwd=folder)
    return folder / "disk"


def test_luks1(luks1: Path, wanted: Tree) -> None:
    guest = open_paths(luks1, keys=(b"wrong", KEY))
    same(root_tree(guest), wanted)
    assert [device.kind for device in guest.blocks] == ["disk", "luks"]
    assert guest.roots[0].device == f"luks-{guest.blocks.disks[0].uuid}"
    assert not guest.problems


@pytest.mark.parametrize("options", [(), ("--sector-size", "4096"), ("--cipher", "aes-cbc-essiv:sha256", "--key-size", "256")])
def test_luks2(tmp_path: Path, tree: Path, wanted: Tree, options: tuple[str, ...]) -> None:
    image = luks2(tmp_path, ext(tmp_path / "fs", tree, "-t", "ext4", "-b", "4096"), *options)
    same(root_tree(open_paths(image, keys=(KEY,))), wanted)


@pytest.mark.parametrize("lost", ["the signature", "a checksum", "its text"])
def test_the_second_header_of_luks2(tmp_path: Path, lost: str) -> None:
    """cryptsetup opens it all the same and mends the first one; with both gone it refuses, and so do we."""
    image = luks2(tmp_path, ext(tmp_path / "fs", make_tree(tmp_path / "tree", odd=False), size=8 << 20))
    uuid = open_paths(image).blocks.disks[0].uuid
    places = {"the signature": 0, "a checksum": 448, "its text": 4100}
    with image.open("r+b") as file:
        size = int.from_bytes(file.read(16)[8:], "big")
        file.seek(places[lost])
        file.write(b"\0")
    found = open_paths(image, keys=(KEY,))
    assert [root.device for root in found.roots] == [f"luks-{uuid}"]
    assert found.blocks.disks[0].detail("keyslots") == "1"
    with image.open("r+b") as file:
        file.seek(size + 4100)
        file.write(b"\0")
    assert open_paths(image, keys=(KEY,)).roots == ()
    assert subprocess.run(["cryptsetup", "luksDump", image], capture_output=True, check=False).returncode


@pytest.mark.parametrize("place", [0, 448, 4100])
def test_a_damaged_second_header_of_luks2(tmp_path: Path, place: int) -> None:
    image = luks2(tmp_path, ext(tmp_path / "fs", make_tree(tmp_path / "tree", odd=False), size=8 << 20))
    with image.open("r+b") as file:
        size = int.from_bytes(file.read(16)[8:], "big")
        file.seek(size + place)
        file.write(b"\0")
    assert len(open_paths(image, keys=(KEY,)).roots) == 1


def test_no_key_and_wrong_key(luks1: Path) -> None:
    assert problems(open_paths(luks1))[0] == "disk1: encrypted (crypto_LUKS), and no key was given"
    wrong = open_paths(luks1, keys=(b"wrong",))
    assert problems(wrong)[0] == "disk1: encrypted (crypto_LUKS), and no key given opens it"
    assert not wrong.blocks.complete
    assert wrong.problems[0].hint


def striped(parts: list[bytes], chunk: int, *, absolute: bool) -> bytes:
    """RAID 0 told once more: row by row over the parts that are still tall enough."""
    out, row = b"", 0
    while tall := [part for part in parts if len(part) >= (row + 1) * chunk]:
        turn = len(out) // chunk
        zone = sum(len(part) // chunk >= row + 1 for part in parts)
        order = [tall[(turn + index) % zone if absolute else index] for index in range(zone)]
        out += b"".join(part[row * chunk : (row + 1) * chunk] for part in order)
        row += 1
    return out


@pytest.mark.parametrize("absolute", [False, True])
def test_raid0_zones(absolute: bool) -> None:
    parts = [random.Random(number).randbytes(size) for number, size in enumerate((9 * 512, 5 * 512, 7 * 512 + 100))]
    stream = Raid0([MemoryStream(part) for part in parts], 512, absolute=absolute)
    assert stream.size == 21 * 512
    assert stream.read() == striped(parts, 512, absolute=absolute)
    assert stream.read_at(700, 3000) == striped(parts, 512, absolute=absolute)[700:3700]


def test_streams() -> None:
    joined = Joined([Piece(3, MemoryStream(b"abcdef"), 1), Piece(2, None), Piece(4, MemoryStream(b"xy"))])
    assert joined.read() == b"bcd\0\0xy\0\0"
    assert joined.read_at(2, 100) == b"d\0\0xy\0\0"
    assert Striped((MemoryStream(b"aaccee"), MemoryStream(b"bbddffgg")), 2).read() == b"aabbccddeeff"
    joined.seek(-2, 2)
    assert (joined.tell(), joined.read(9), joined.read(9)) == (7, b"\0\0", b"")
    with pytest.raises(ValueError, match="seek"):
        joined.seek(-1)


@pytest.mark.parametrize("fill", [b"\0", b"\xff"])
def test_damaged_md_superblock(tmp_path: Path, fill: bytes) -> None:
    for offset in (0, 4096, (1 << 20) - 8192, (1 << 20) - 65536):
        data = bytearray(1 << 20)
        data[offset : offset + 4096] = struct.pack("<I", 0xA92B4EFC) + fill * 4092
        (tmp_path / "disk").write_bytes(data)
        assert read_member(HostFile(str(tmp_path / "disk"))) is None


def test_unknown_md_levels_are_named() -> None:
    from v2vlint.disk.volumes.md import MdMember, assemble

    member = MdMember("1.2", "u", "a", "host:x", -4, 0, 3, 65536, 0, 10, 0, 1 << 20, 2 << 20)
    with pytest.raises(Unsupported, match="MD multipath is not supported"):
        assemble([(member, MemoryStream(bytes(1 << 20)))])
    spare = MdMember("1.2", "u", "a", "host:x", 1, 0, 2, 0, -1, 10, 0, 1 << 20, 1 << 20)
    with pytest.raises(ImageError, match="no member of the array is in sync"):
        assemble([(spare, MemoryStream(bytes(1 << 20)))])


def test_bitlocker_is_recognised(tmp_path: Path) -> None:
    """This is only its signature: without metadata, opening it fails whatever the key."""
    (tmp_path / "disk").write_bytes((b"\xeb\x58\x90-FVE-FS-" + bytes(501))[:510] + b"\x55\xaa" + bytes(1 << 20))
    reason = "disk1: encrypted (BitLocker), and no copy of its metadata is intact"
    assert problems(open_paths(tmp_path / "disk"))[0] == reason
    opened = open_paths(tmp_path / "disk", keys=(KEY,))
    assert opened.blocks.disks[0].fs_type == "BitLocker"
    assert opened.blocks.disks[0].detail("bitlocker") == "yes"
    assert problems(opened)[0] == reason


PARTS = BlockTable((
    BlockDevice("disk1", "disk", 1 << 30, 0),
    BlockDevice("disk1p2", "partition", 1 << 20, 0, 2, "crypto_LUKS", "abcd-ef", "box", "0a-02", parents=("disk1",)),
    BlockDevice("vg-a/root", "lv", 1 << 20, 0, 0, "crypto_LUKS", "1234-56"),
))  # fmt: skip


@pytest.mark.parametrize(
    "name",
    ["disk1p2", "/dev/disk1p2", "/dev/sda2", "sda2", "vda2", "nvme0n1p2", "ABCD-EF", "UUID=abcd-ef", "/dev/disk/by-uuid/abcd-ef", "box",
     "PARTUUID=0a-02", "luks-abcd-ef", "/dev/mapper/luks-abcd-ef"],
)  # fmt: skip
def test_a_partition_has_many_names(name: str) -> None:
    keys, (part, volume) = Keys((Key(b"mine", name), Key(b"all"))), PARTS.devices[1:]
    assert keys.opening(part, PARTS, "luks-abcd-ef") == (b"mine", b"all")
    assert keys.opening(volume, PARTS, "luks-1234-56") == (b"all",)
    assert keys.unused([(part, ("luks-abcd-ef",))], PARTS) == ()


@pytest.mark.parametrize("name", ["vg-a/root", "/dev/vg-a/root", "/dev/mapper/vg--a-root", "vg--a-root", "1234-56"])
def test_a_volume_has_many_names(name: str) -> None:
    keys, (part, volume) = Keys((Key(b"mine", name),)), PARTS.devices[1:]
    assert (keys.opening(volume, PARTS), keys.opening(part, PARTS)) == ((b"mine",), ())


def test_a_name_that_fits_nothing_is_told(luks1: Path) -> None:
    assert "mine" not in repr(Keys((Key(b"mine", "sda9"),)))
    guest = open_paths(luks1, keys=(Key(KEY, "sda"), Key(KEY, "disk2"), Key(KEY, "/dev/sda1")))
    assert guest.roots
    assert [(one.where, one.reason) for one in guest.problems] == [
        ("--key-file disk2", "no encrypted device has that name"),
        ("--key-file /dev/sda1", "no encrypted device has that name"),
    ]


@pytest.mark.parametrize(
    ("given", "device", "file"),
    [
        ("key", "", "key"),
        ("sda2=key", "sda2", "key"),
        ("UUID=ab-cd=key", "UUID=ab-cd", "key"),
        ("a=b", "", "a=b"),
        ("sda2=a=b", "sda2", "a=b"),
        ("sda2=gone", None, "key file gone: no such file"),
        ("UUID=ab-cd=gone", None, "key file ab-cd=gone: no such file"),
        ("sda2=", None, "no file is named"),
        ("", None, "no file is named"),
    ],
)
def test_device_and_file_of_a_key(given: str, device: str | None, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("V2VLINT_KEY", raising=False)
    for name in ("key", "a=b"):
        (tmp_path / name).write_text(name)
    if device is None:
        with pytest.raises(UsageError, match=file):
            collect((given,))
    else:
        assert [(key.device, key.secret.decode()) for key in collect((given,)).keys] == [(device, file)]


def test_a_key_may_be_that_of_another_guest() -> None:
    other, mine, gone = (Problem(f"--key-file {name}", "no") for name in ("sda2", "sdb2", "sdc2"))
    rest = Problem("disk1", "else")
    assert fitting([(other, gone, rest), (mine, gone)]) == [(gone, rest), (gone,)]
    assert fitting([]) == []
