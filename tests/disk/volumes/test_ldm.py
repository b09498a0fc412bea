"""Dynamic disks: every kind of volume, whole and with a disk missing; the disks of real Windows in a folder, against libguestfs."""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
from pathlib import Path

import pytest

import v2vlint as library
from tests.disk.volumes.ldm_disk import GROUP, dynamic_disks, guid
from v2vlint.disk.containers.formats import open_image
from v2vlint.disk.stream import MemoryStream, Stream
from v2vlint.disk.volumes import ldm
from v2vlint.disk.volumes.stack import Stack
from v2vlint.model.source import GuestRef, Keys
from v2vlint.source.locate import locate

CONTENT = random.Random(7).randbytes(240 * ldm.SECTOR)
KINDS = [("simple", 1), ("spanned", 2), ("striped", 2), ("mirrored", 2), ("RAID5", 3), ("RAID5", 4)]


def members(images: list[bytes]) -> dict[str, tuple[ldm.LdmMember, Stream]]:
    found: dict[str, tuple[ldm.LdmMember, Stream]] = {}
    for image in images:
        stream = MemoryStream(image)
        member = ldm.read_member(stream, None)
        found[member.disk] = (member, stream)
    return found


def stack(*paths: Path) -> Stack:
    source = locate(GuestRef("guest", "disks", tuple(map(str, paths))))
    return Stack([open_image(file) for file in source.disks], Keys())


@pytest.mark.parametrize(("kind", "disks"), KINDS)
def test_every_kind_of_volume(kind: str, disks: int) -> None:
    there = members(dynamic_disks(kind, disks, CONTENT))
    first, _stream = there[guid(1)]
    assert (first.group, first.group_name, ldm.group_disks(first)) == (GROUP, "PC-Dg0", frozenset(map(guid, range(1, disks + 1))))
    (volume,) = ldm.volumes(there)
    assert (volume.name, volume.kind, volume.size, volume.hint, volume.guid) == ("Volume1", kind, len(CONTENT), "E:", guid(9))
    assert set(volume.disks) == there.keys()
    assert volume.stream is not None
    assert volume.stream.read_at(0, len(CONTENT) + 1) == CONTENT
    for at, count in ((0, 1), (4000, 9000), (len(CONTENT) - 5, 99)):
        assert volume.stream.read_at(at, count) == CONTENT[at : at + count]


@pytest.mark.parametrize(("kind", "disks"), KINDS[1:])
@pytest.mark.parametrize("missing", [0, 1])
def test_with_a_disk_missing(kind: str, disks: int, missing: int) -> None:
    images = dynamic_disks(kind, disks, CONTENT)
    del images[missing]
    (volume,) = ldm.volumes(members(images))
    if kind in ("mirrored", "RAID5"):
        assert volume.stream is not None
        assert volume.stream.read_at(0, len(CONTENT)) == CONTENT
    else:
        assert (volume.stream, volume.problem) == (None, "a disk of this volume is missing")


def test_raid_5_takes_the_loss_of_one_disk_only() -> None:
    images = dynamic_disks("RAID5", 3, CONTENT)[:1]
    (volume,) = ldm.volumes(members(images))
    assert volume.problem == "more than one disk of a RAID 5 volume is missing"


@pytest.mark.parametrize("seed", range(80))
def test_a_damaged_database_is_an_outcome(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    data = bytearray(dynamic_disks("spanned", 2, CONTENT)[0])
    for _hit in range(chance.randint(1, 40)):
        data[chance.choice((3072, 4096 * 512 + 17 * 512)) + chance.randrange(1600)] = chance.randrange(256)
    (tmp_path / "disk.img").write_bytes(data)
    layers = stack(tmp_path / "disk.img").layers
    assert layers["disk1p1"].device.fs_type == "ldm_member"
    for layer in layers.values():
        assert layer.stream is None or len(layer.stream.read_at(0, 1 << 16)) <= 1 << 16


def test_a_stack_names_what_is_damaged(tmp_path: Path) -> None:
    data = bytearray(dynamic_disks("simple", 1, CONTENT)[0])
    data[3072 : 3072 + 8] = b"NOTHING "
    (tmp_path / "disk.img").write_bytes(data)
    problems = {problem.where: problem.reason for problem in library.open(tmp_path / "disk.img").machine.problems}
    assert problems["disk1"] == "a dynamic disk without its private header"


def test_the_filesystem_of_a_volume_on_two_disks(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_bytes(bytes(1500 << 10))
    subprocess.run(["mkntfs", "-F", "-q", "-Q", "-L", "Data", str(plain)], check=True, capture_output=True)
    paths = []
    for number, image in enumerate(dynamic_disks("spanned", 2, plain.read_bytes())):
        paths.append(tmp_path / f"disk{number}.img")
        paths[-1].write_bytes(image)
    machine = library.open(*paths).machine
    (volume,) = machine.volumes[-1:]
    assert (volume.device, volume.path, volume.type, volume.label) == (
        "ldm_vol_PC-Dg0_Volume1", "/dev/mapper/ldm_vol_PC-Dg0_Volume1", "ntfs", "Data",
    )  # fmt: skip
    device = next(one for one in machine.devices if one.name == volume.device)
    assert (device.kind, device.parents, device.detail("letter"), device.problem) == ("ldm", ("disk1", "disk2"), "E", "")
    alone = library.open(paths[0]).machine
    assert "a disk of this volume is missing" in {problem.reason for problem in alone.problems}


REAL = os.environ.get("V2VLINT_DYNAMIC_DISKS", "")
EMULATED = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}


@pytest.mark.truth
@pytest.mark.parametrize("group", ["2003r2", "2008r2"])
def test_real_volumes_are_those_of_the_kernel(group: str) -> None:
    """libldm's test disks, made by Windows 2003 R2 and 2008 R2, against the checksums that libguestfs makes of the mapped volumes."""
    paths = sorted(Path(REAL).glob(f"ldm-{group}-*.img")) if REAL else []
    if not paths:
        pytest.skip("V2VLINT_DYNAMIC_DISKS names no folder of libldm's test disks")
    layers = stack(*paths).layers.values()
    found = {layer.device.name: _digest(layer.stream) for layer in layers if layer.device.kind == "ldm" and layer.stream}
    assert len(found) >= 5
    commands = [f"add {path} readonly:true format:raw" for path in paths] + ["run"]
    commands += [f"checksum-device sha256 /dev/mapper/{name}" for name in found]
    done = subprocess.run(
        ["guestfish"], input="\n".join(commands), text=True, capture_output=True, env={**os.environ, **EMULATED}, check=True
    )
    assert list(found.values()) == done.stdout.split()


def _digest(stream: Stream) -> str:
    found = hashlib.sha256()
    for at in range(0, stream.size, 1 << 20):
        found.update(stream.read_at(at, 1 << 20))
    return found.hexdigest()
