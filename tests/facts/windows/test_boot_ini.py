"""boot.ini: where NTLDR finds Windows."""

from __future__ import annotations

import pytest

from v2vlint.engine.examples import example_store
from v2vlint.facts.windows.boot_ini import BootIni, counted
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.verdicts import predict

DISK = BlockDevice("disk1", "disk", 1 << 33, 0, details=(("pt", "dos"), ("pt_uuid", "0a0b0c0d")))
PARTS = (
    BlockDevice("disk1p1", "partition", 1 << 30, 0, 1, "ntfs", "A1", part_type="0x07"),
    BlockDevice("disk1p2", "partition", 1 << 30, 0, 2, part_type="0x0f"),
    BlockDevice("disk1p3", "partition", 1 << 30, 0, 3, "ntfs", "C3", part_type="0x07"),
    BlockDevice("disk1p5", "partition", 1 << 30, 0, 5, "ntfs", "E5", part_type="0x07"),
)
BLOCKS = BlockTable((DISK, *PARTS))


def files(ini: str | None) -> dict[str, Content]:
    found: dict[str, Content] = {"/Windows/System32/config/SYSTEM": Hive("[ControlSet001\\Control]\n"), "/ntldr": b"NTLDR"}
    return found if ini is None else {**found, "/boot.ini": ini}


def default(path: str) -> str:
    return f'[boot loader]\ntimeout=30\ndefault={path}\n[operating systems]\n{path}="XP" /fastdetect\n'


def test_partitions_are_counted_as_ntldr_does() -> None:
    assert [one.name for one in counted(DISK, BLOCKS)] == ["disk1p1", "disk1p3", "disk1p5"]


@pytest.mark.parametrize(
    ("ini", "uuid", "fate", "words"),
    [
        (default("multi(0)disk(0)rdisk(0)partition(1)\\WINDOWS"), "A1", Fate.PASS, "partition(1)"),
        (default("multi(0)disk(0)rdisk(0)partition(2)\\Windows"), "C3", Fate.PASS, "partition(2)"),
        (default("multi(0)disk(0)rdisk(0)partition(3)\\WINDOWS"), "E5", Fate.PASS, "partition(3)"),
        (default("multi(0)disk(0)rdisk(0)partition(2)\\WINDOWS"), "A1", Fate.UNKNOWN, "disk1p3, another system"),
        (default("multi(0)disk(0)rdisk(0)partition(4)\\WINDOWS"), "A1", Fate.FAIL, "on none of these disks"),
        (default("multi(0)disk(0)rdisk(1)partition(1)\\WINDOWS"), "A1", Fate.FAIL, "on none of these disks"),
        (default("multi(0)disk(0)rdisk(0)partition(1)\\WINNT"), "A1", Fate.FAIL, "a folder without Windows"),
        (default("signature(a0b0c0d)disk(0)rdisk(0)partition(1)\\WINDOWS"), "A1", Fate.PASS, "signature"),
        (default("signature(99999999)disk(0)rdisk(0)partition(1)\\WINDOWS"), "A1", Fate.FAIL, "on none"),
        (default("scsi(0)disk(0)rdisk(0)partition(1)\\WINDOWS"), "A1", Fate.UNKNOWN, "ntbootdd.sys"),
        (default("C:\\CMDCONS\\BOOTSECT.DAT"), "A1", Fate.UNKNOWN, "not understood"),
        ("[boot loader]\n", "A1", Fate.PASS, "partition(1)"),
        (None, "A1", Fate.PASS, "partition(1)"),
        (None, "C3", Fate.UNKNOWN, "another system"),
    ],
)
def test_the_default_entry(ini: str | None, uuid: str, fate: Fate, words: str) -> None:
    forecast = predict(example_store(Example(files(ini), given=(BLOCKS,), target="virtualbox", uuid=uuid)))
    stage = next(one for one in forecast.stages if one.stage is Stage.ENTRY)
    assert (stage.fate, words in stage.reason) == (fate, True), stage.reason


@pytest.mark.parametrize("text", ["default=", "[boot loader]\ndefault=multi(x)disk(0)rdisk(0)partition(1)\\W", "\0\1", "default=multi()"])
def test_damage_is_not_understood(text: str) -> None:
    assert example_store(Example(files(text))).get(BootIni).bus in ("", "multi")
