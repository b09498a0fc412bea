"""Edits of hives without writing: what they expect, what they come to, and hives that are not what they seem."""

from __future__ import annotations

import io
import struct

import pytest

from v2vlint.disk.hives.edit import HiveDraft
from v2vlint.model.errors import ImageError
from v2vlint.model.fix import RegistryDeleteKey, RegistryEdit, RegistrySet
from v2vlint.model.registry import RegistryData, binary, dword, expand_sz, multi_sz, sz
from v2vlint.model.rewrite import StaleEdit, registry_changes, unified
from v2vlint.samples.regf import make_hive

SYSTEM = "/Windows/System32/config/SYSTEM"
TEXT = r"""
[Select]
"Current"=dword:2
[ControlSet002\Services\LSI_SAS]
"Start"=dword:3
@="a \"default\""
[ControlSet002\Services\LSI_SAS\StartOverride]
"0"=dword:3
"""


def draft(text: str = TEXT) -> HiveDraft:
    """The hive of a .reg text."""
    return HiveDraft(io.BytesIO(make_hive(text)), SYSTEM)


def start(value: RegistryData | None, expect: RegistryData | None, key: str = "CurrentControlSet\\Services\\lsi_sas") -> RegistrySet:
    """An edit of ``Start``, named in another case than the hive has it."""
    return RegistrySet(SYSTEM, key, "START", value or dword(0), expect)


OVERRIDE = RegistryDeleteKey(SYSTEM, "CurrentControlSet\\Services\\LSI_SAS\\StartOverride", (("0", dword(3)),))


def test_edits_change_what_they_name_and_nothing_else() -> None:
    edits = (start(dword(0), dword(3)), OVERRIDE, RegistrySet(SYSTEM, "ControlSet002\\New\\Key", "list", multi_sz(["a", "b"]), None))
    wanted = r"""
[Select]
"Current"=dword:00000002
[ControlSet002\Services\LSI_SAS]
@="a \"default\""
"Start"=dword:0
[ControlSet002\New\Key]
"list"=multi:"a","b"
"""
    assert draft(draft().edited(edits)).text() == draft(wanted).text()


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (start(None, dword(4)), "no longer reads dword:00000004"),
        (start(None, None), "already exists"),
        (start(None, RegistryData(11, dword(3).data)), "no longer reads"),
        (start(None, dword(3), "ControlSet002\\Services\\none"), "is absent"),
        (RegistryDeleteKey(SYSTEM, "ControlSet002\\Services\\LSI_SAS", (("Start", dword(3)),)), "has changed"),
        (RegistryDeleteKey(SYSTEM, OVERRIDE.key, (("0", dword(4)),)), "has changed"),
        (RegistryDeleteKey(SYSTEM, "ControlSet002\\none", ()), "does not exist"),
    ],
)
def test_an_edit_that_expects_something_else_is_stale(edit: RegistryEdit, words: str) -> None:
    with pytest.raises(StaleEdit, match=words):
        draft().edited([edit])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dword(3), "dword:00000003"),
        (RegistryData(4, b"\3"), "hex(4):03"),
        (sz('C:\\"x"'), '"C:\\\\\\"x\\""'),
        (RegistryData(1, b"a\0"), "hex(1):61,00"),
        (RegistryData(1, b"a"), "hex(1):61"),
        (sz("two\nlines"), "hex(1):74,00,77,00,6f,00,0a,00,6c,00,69,00,6e,00,65,00,73,00,00,00"),
        (expand_sz("%SystemRoot%"), 'expand:"%SystemRoot%"'),
        (multi_sz([]), "multi:"),
        (multi_sz(["a", "b"]), 'multi:"a","b"'),
        (RegistryData(7, b"a\0"), "hex(7):61,00"),
        (binary(b"\1\xff"), "hex:01,ff"),
        (RegistryData(0x20000, b""), "hex(20000):"),
    ],
)
def test_values_as_people_write_them_mean_the_same_bytes(value: RegistryData, text: str) -> None:
    assert str(value) == text
    assert draft(f'[key]\n"name"={text}\n').value("KEY", "Name") == value


def test_the_diff_reads_like_a_reg_file() -> None:
    edits = (start(dword(0), dword(3)), OVERRIDE)
    assert unified(registry_changes(edits)) == (
        f"--- a{SYSTEM}\n+++ b{SYSTEM}\n@@ -1,4 +1,2 @@\n"
        " [CurrentControlSet\\Services\\lsi_sas]\n"
        '-"START"=dword:00000003\n'
        "-[CurrentControlSet\\Services\\LSI_SAS\\StartOverride]\n"
        '-"0"=dword:00000003\n'
        '+"START"=dword:00000000\n'
    )


@pytest.mark.parametrize("at", [4, 8, 508])
def test_a_hive_that_was_not_written_out_is_not_clean(at: int) -> None:
    data = bytearray(make_hive(TEXT))
    assert HiveDraft(io.BytesIO(bytes(data)), SYSTEM).clean
    struct.pack_into("<I", data, at, 77)
    assert not HiveDraft(io.BytesIO(bytes(data)), SYSTEM).clean


@pytest.mark.parametrize("data", [b"", b"regf", b"x" * 8192])
def test_what_is_no_hive_is_refused(data: bytes) -> None:
    with pytest.raises(ImageError, match="not a registry hive"):
        HiveDraft(io.BytesIO(data), SYSTEM)


def test_damage_is_an_image_error() -> None:
    good = make_hive(TEXT)
    for at in range(4096, len(good), 40):
        data = bytearray(good)
        data[at : at + 8] = b"\xff" * 8
        try:
            HiveDraft(io.BytesIO(bytes(data)), SYSTEM).edited([start(dword(0), dword(3))])
        except (ImageError, StaleEdit):
            continue


def test_without_a_current_control_set_there_is_nothing_to_resolve() -> None:
    with pytest.raises(ImageError, match="which control set"):
        draft("[ControlSet001\\Services\\x]\n").edited([start(None, None)])
