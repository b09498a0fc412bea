"""The boot configuration of Windows: which entry the next start takes, its options, the menu."""

from __future__ import annotations

import struct
import uuid

import pytest

from v2vlint.engine.examples import example_store
from v2vlint.facts.windows.bcd import BcdEntry, file_of
from v2vlint.facts.windows.boot import WindowsBoot
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.rule import Content, Example, Hive
from v2vlint.verdicts import predict

MANAGER = "Objects\\{9dea862c-5cdd-4e70-acc1-f32b344d4795}\\Elements"
GUID, OTHER = "c0c0c0c0-0001-4000-8000-00000000c001", "dededede-0001-4000-8000-00000000c001"
DISK = BlockDevice("disk1", "disk", 1 << 33, 0, details=(("pt", "gpt"),))
PART = BlockDevice("disk1p2", "partition", 1 << 32, 0, 2, "ntfs", part_uuid=GUID)


def element(key: str, value: str) -> str:
    return f'[{key}]\n"Element"={value}\n'


def device(guid: str) -> str:
    data = bytes(16) + struct.pack("<IIII", 6, 0, 0x48, 0) + uuid.UUID(guid).bytes_le + struct.pack("<II", 0, 0) + bytes(16)
    return f"hex:{data.hex(',')}"


def text(*more: tuple[str, str], of: str = "{1}") -> str:
    loader = element(f"Objects\\{of}\\Elements\\12000002", '"\\\\Windows\\\\System32\\\\winload.exe"')
    return loader + "".join(element(f"Objects\\{of}\\Elements\\{number}", value) for number, value in more)


def files(store: str) -> dict[str, Content]:
    hive = Hive("[ControlSet001\\Control]\n")
    return {"/Windows/System32/config/SYSTEM": hive, "/Windows/System32/winload.exe": b"MZ", "/bootmgr": b"MZ", "/Boot/BCD": Hive(store)}


def first(store: str) -> BcdEntry:
    found = example_store(Example(files(store))).get(WindowsBoot).default
    assert found is not None
    return found


CHOSEN = element(f"{MANAGER}\\23000003", '"{1}"')


def test_a_sequence_for_the_next_start_wins() -> None:
    both = CHOSEN + text(("12000004", '"ten"')) + text(("12000004", '"tools"'), of="{2}")
    assert (first(both).name, first(both).once) == ("ten", False)
    once = element(f"{MANAGER}\\24000002", 'multi:"{gone}","{2}"')
    assert (first(both + once).name, first(both + once).once) == ("tools", True)


@pytest.mark.parametrize(
    ("elements", "safe", "options"),
    [
        ((), "", ()),
        ((("25000080", "hex:00,00,00,00,00,00,00,00"),), "minimal", ()),
        ((("25000080", "hex:01,00,00,00,00,00,00,00"),), "network", ()),
        ((("16000049", "hex:01"),), "", ("unsigned",)),
        ((("16000048", "hex:01"),), "", ("unsigned",)),
        ((("16000048", "hex:00"),), "", ()),
        ((("260000b0", "hex:01"),), "", ("ems",)),
        ((("14000008", 'multi:"{2}"'), ("16000009", "hex:01")), "", ("recovery",)),
        ((("14000008", 'multi:"{2}"'),), "", ()),
        ((("14000008", 'multi:"{2}"'), ("16000009", "hex:01"), ("250000e0", "hex:01,00,00,00,00,00,00,00")), "", ()),
        ((("14000008", 'multi:"{2}"'), ("16000009", "hex:01"), ("250000e0", "hex:02,00,00,00,00,00,00,00")), "", ("recovery",)),
    ],
)
def test_options(elements: tuple[tuple[str, str], ...], safe: str, options: tuple[str, ...]) -> None:
    entry = first(CHOSEN + text(*elements))
    assert entry.safe == safe
    assert tuple(name for name in ("unsigned", "ems", "recovery") if getattr(entry, name)) == options


@pytest.mark.parametrize(
    ("more", "shown", "timeout"),
    [
        ("", False, None),
        (element(f"{MANAGER}\\24000001", 'multi:"{1}"'), False, None),
        (element(f"{MANAGER}\\24000001", 'multi:"{1}","{2}"'), True, None),
        (element(f"{MANAGER}\\24000001", 'multi:"{1}","{2}"') + element(f"{MANAGER}\\25000004", "hex:1e,00,00,00,00,00,00,00"), True, 30),
        (element(f"{MANAGER}\\26000020", "hex:01"), True, None),
    ],
)
def test_the_menu(more: str, shown: bool, timeout: int | None) -> None:
    menu = example_store(Example(files(CHOSEN + text() + more))).get(WindowsBoot).menu
    assert (menu.shown, menu.timeout) == (shown, timeout)


@pytest.mark.parametrize(("path", "extra"), [("\\vhd\\ten.vhdx", b"\0\0"), ("\\ten.vhd", b"\0\0"), ("", b"\1\2\3"), ("\\ten.vhd", b"")])
def test_a_virtual_disk_in_a_device(path: str, extra: bytes) -> None:
    assert file_of(bytes(8) + b"\5\0\0\0" + bytes(2) + path.encode("utf-16-le") + extra) == path


@pytest.mark.parametrize(
    ("elements", "fate", "words"),
    [
        ((("11000001", device(GUID)), ("21000001", device(GUID))), Fate.PASS, "winload.exe"),
        ((("11000001", device(GUID)), ("21000001", device(OTHER))), Fate.UNKNOWN, "loads Windows from a partition that is on none"),
        ((("11000001", device(OTHER)),), Fate.UNKNOWN, "on none of these disks"),
        ((("21000001", f"hex:{(bytes(20) + 'x:vhd.vhdx'.encode('utf-16-le')).hex(',')}"),), Fate.UNKNOWN, "virtual disk"),
    ],
)
def test_the_entry_by_its_devices(elements: tuple[tuple[str, str], ...], fate: Fate, words: str) -> None:
    given = (BlockTable((DISK, PART)),)
    forecast = predict(example_store(Example(files(CHOSEN + text(*elements)), given=given, target="virtualbox")))
    stage = next(one for one in forecast.stages if one.stage is Stage.ENTRY)
    assert (stage.fate, words in stage.reason) == (fate, True), stage.reason
