"""How much room virt-v2v wants: by the code of its ``check_guest_free_space``, thresholds included."""

from __future__ import annotations

import pytest

from v2vlint.facts.conversion.refusals import _space
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.osinfo import OsInfo
from v2vlint.samples.memory import MemoryFileSystem

MIB = 1 << 20


def refused(kind: str, free: dict[str, int], inodes: int = 500) -> list[str]:
    fs = GuestFS({point: MemoryFileSystem({}, "ext4", uuid=f"u{point}") for point in free})
    devices = tuple(
        BlockDevice(point, "partition", 1 << 30, 0, 1, "ext4", f"u{point}", details=(("free", str(left)), ("free_inodes", str(inodes))))
        for point, left in free.items()
    )
    return [str(refusal.where) for refusal in _space(fs, BlockTable(devices), OsInfo(kind, kind, kind, kind, "1", "x86_64"))]


@pytest.mark.parametrize(
    ("kind", "free", "short"),
    [
        ("linux", {"/": 50 * MIB}, []),
        ("linux", {"/": 50 * MIB - 1}, ["/"]),
        ("linux", {"/": 99 * MIB, "/boot": 10 * MIB}, ["/"]),
        ("linux", {"/": 100 * MIB, "/boot": 10 * MIB - 1}, ["/boot"]),
        ("linux", {"/": 50 * MIB, "/srv": 9 * MIB}, ["/srv"]),
        ("windows", {"/": 99 * MIB}, ["/"]),
        ("windows", {"/": 100 * MIB}, []),
    ],
)
def test_thresholds(kind: str, free: dict[str, int], short: list[str]) -> None:
    assert refused(kind, free) == short


def test_inodes() -> None:
    assert refused("linux", {"/": 200 * MIB}, 99) == ["/"]
    assert refused("linux", {"/": 200 * MIB}, 100) == []
