"""Time zones of Windows, as the C library takes them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from v2vlint.engine.examples import example_store
from v2vlint.facts.windows.system import WindowsSystem
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Example, Hive

# Values of Windows 10, with rules of the years 2020 to 2023.
EUROPE = {
    "Bias": -60,
    "StandardBias": 0,
    "DaylightBias": -60,
    "StandardStart": (0, 10, 5, 3, 0, 0, 0, 0),
    "DaylightStart": (0, 3, 5, 2, 0, 0, 0, 0),
}
EASTERN = {"Bias": 300, "DaylightBias": -60, "StandardStart": (0, 11, 1, 2, 0, 0, 0, 0), "DaylightStart": (0, 3, 2, 2, 0, 0, 0, 0)}
LORD_HOWE = {"Bias": -630, "DaylightBias": -30, "StandardStart": (0, 4, 1, 2, 0, 0, 0, 0), "DaylightStart": (0, 10, 1, 2, 0, 0, 0, 0)}
INDIA = {"Bias": -330, "StandardStart": (0,) * 8, "DaylightStart": (0,) * 8}
Values = Mapping[str, int | tuple[int, ...]]


def zone(values: Values) -> str:
    lines = [
        f'"{name}"=hex:{b"".join(part.to_bytes(2, "little") for part in value).hex(",")}'
        if isinstance(value, tuple)
        else f'"{name}"=dword:{value & 0xFFFFFFFF:08x}'
        for name, value in values.items()
    ]
    text = "\n".join(["[ControlSet001\\Control\\TimeZoneInformation]", *lines, ""])
    files = {"/Windows/System32/config/SYSTEM": Hive(text), "/Windows/System32/config/SOFTWARE": Hive("[Microsoft]\n")}
    os_info = OsInfo("windows", "windows", "windows", "Windows 10 Pro", "10.0.19045", "x86_64")
    return example_store(Example(files, given=(os_info,))).get(WindowsSystem).zone


SHOWN = "import time; print([time.localtime(at)[:6] for at in range(1577836800, 1704067200, 1800 * 37)])"


@pytest.mark.parametrize(
    ("values", "name"),
    [(EUROPE, "Europe/Berlin"), (EASTERN, "America/New_York"), (LORD_HOWE, "Australia/Lord_Howe"), (INDIA, "Asia/Kolkata"),
     ({"Bias": 0}, "UTC")],
)  # fmt: skip
def test_the_c_library_shows_the_same_time_as_in_the_zone_of_the_place(values: Values, name: str) -> None:
    shown = {
        subprocess.run([sys.executable, "-c", SHOWN], env={**os.environ, "TZ": tz}, capture_output=True, text=True, check=True).stdout
        for tz in (zone(values), name)
    }
    assert len(shown) == 1


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ({}, ""),
        ({**EUROPE, "DynamicDaylightTimeDisabled": 1}, "STD-1"),
        ({**EUROPE, "DisableAutoDaylightTimeSet": 1}, "STD-1"),
        ({**EUROPE, "StandardStart": (0, 0, 5, 3, 0, 0, 0, 0)}, "STD-1"),
        ({**EUROPE, "StandardStart": (2024, 10, 27, 3, 0, 0, 0, 0)}, ""),
        ({**EUROPE, "DaylightStart": (0, 13, 5, 2, 0, 0, 0, 0)}, ""),
        ({**EUROPE, "DaylightStart": (0, 3, 6, 2, 0, 0, 0, 0)}, ""),
        ({**EUROPE, "DaylightStart": (0, 3, 5, 24, 0, 0, 0, 0)}, ""),
        ({**EUROPE, "DaylightStart": (0, 3, 5, 2, 60, 0, 0, 0)}, ""),
        ({**EUROPE, "DaylightStart": (0, 3, 5, 2, 0, 0, 0, 7)}, ""),
        ({**EUROPE, "DaylightStart": (0, 3, 5)}, ""),
        ({**EUROPE, "Bias": -60 * 25}, ""),
        ({**EUROPE, "DaylightBias": 1 << 31}, ""),
        ({"Bias": 210, "StandardBias": -30}, "STD3"),
    ],
)
def test_rules_that_posix_lacks_are_not_guessed(values: Values, wanted: str) -> None:
    assert zone(values) == wanted
