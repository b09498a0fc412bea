"""Hives written from text: what hivex and the reader see of them, and hives with damage."""

from __future__ import annotations

import contextlib
import io
import struct
import subprocess
from pathlib import Path

import pytest
from dissect.regf.exceptions import Error

from tests.disk.images import need
from v2vlint.disk.hives.reader import HiveFile, HiveKey
from v2vlint.samples.regf import make_hive

TEXT = r"""
Windows Registry Editor Version 5.00
; a comment
[Select]
"Current"=dword:00000001
[ControlSet001\Services\viostor]
@="default"
"Start"=dword:0
"ImagePath"=expand:"system32\\drivers\\viostor.sys"
"Group"="SCSI \"miniport\""
"Filters"=multi:"partmgr","fvevol"
"Big"=qword:100000001
"Raw"=hex:01,02,03,04,05
"Typed"=hex(7):61,00,00,00,00,00
[ControlSet001\Services\Äther]
"""


@pytest.fixture
def hive() -> HiveKey:
    return HiveFile(io.BytesIO(make_hive(TEXT, "SYSTEM"))).root


def test_values_come_back(hive: HiveKey) -> None:
    key = hive.key("controlset001\\SERVICES\\Viostor")
    assert key is not None
    values = {value.name: value for value in key.values()}
    assert (values["Start"].number, values["Big"].number, values["Raw"].number) == (0, 0x100000001, None)
    assert values[""].text == "default"
    assert values["ImagePath"].text == "system32\\drivers\\viostor.sys"
    assert (values["ImagePath"].type, values["Group"].type, values["Filters"].type) == (2, 1, 7)
    assert values["Group"].text == 'SCSI "miniport"'
    assert values["Filters"].texts == ("partmgr", "fvevol")
    assert values["Raw"].data == b"\1\2\3\4\5"
    assert values["Typed"].texts == ("a",)
    assert values["Start"].texts == ()


def test_later_lines_take_out_what_earlier_ones_made() -> None:
    text = TEXT + '[ControlSet001\\Services\\viostor]\n"Group"=-\n[-ControlSet001\\Services\\Äther]\n[-Not\\There]\n'
    root = HiveFile(io.BytesIO(make_hive(text))).root
    key = root.key("ControlSet001\\Services\\viostor")
    assert key is not None
    assert {"Group", "Start"} & {value.name for value in key.values()} == {"Start"}
    assert root.key("ControlSet001\\Services\\Äther") is None


def test_keys_are_found_whatever_their_case(hive: HiveKey) -> None:
    services = hive.key("ControlSet001\\Services")
    assert services is not None
    assert sorted(key.name for key in services.children()) == ["viostor", "Äther"]
    assert services.key("nothing") is None
    assert hive.key("Select\\Current") is None
    assert hive.key("") is hive


def test_hivex_reads_it(tmp_path: Path) -> None:
    need("hivexsh")
    path = tmp_path / "SYSTEM"
    path.write_bytes(make_hive(TEXT))
    script = "cd \\ControlSet001\\Services\\viostor\nlsval Start\nlsval ImagePath\ncd ..\nls\n"
    done = subprocess.run(["hivexsh", str(path)], input=script, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["0", "system32\\drivers\\viostor.sys"]
    assert {"viostor", "Äther"} <= set(done.stdout.split())


def test_hivex_writes_it(tmp_path: Path) -> None:
    need("hivexsh")
    path = tmp_path / "SYSTEM"
    path.write_bytes(make_hive(TEXT))
    script = "cd \\ControlSet001\\Services\nadd new\ncd new\nsetval 1\nStart\ndword:4\ncommit\n"
    subprocess.run(["hivexsh", "-w", str(path)], input=script, capture_output=True, text=True, check=True)
    key = HiveFile(io.BytesIO(path.read_bytes())).root.key("ControlSet001\\Services\\new")
    assert key is not None
    assert [(value.name, value.number) for value in key.values()] == [("Start", 4)]


@pytest.mark.parametrize("line", ["nonsense", '"x"=words:1', '"x"=hex'])
def test_a_wrong_line_is_named(line: str) -> None:
    with pytest.raises(ValueError, match=r"not a (line|value) of a \.reg file"):
        make_hive(f"[Key]\n{line}\n")


def test_damage_ends_in_an_error_or_a_smaller_tree() -> None:
    good = make_hive(TEXT)
    for place in range(4096, len(good), 7):
        data = bytearray(good)
        data[place : place + 4] = b"\xff\xff\xff\x7f"
        names = 0
        with contextlib.suppress(
            OSError, ValueError, EOFError, LookupError, TypeError, NotImplementedError, struct.error, Error, RecursionError
        ):
            names = _walk(HiveFile(io.BytesIO(bytes(data))).root, 8)
        assert names < 100


def _walk(key: HiveKey, depth: int) -> int:
    if depth == 0:
        return 1
    return 1 + sum(1 for _ in key.values()) + sum(_walk(child, depth - 1) for child in key.children())
