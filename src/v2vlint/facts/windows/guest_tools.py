"""The table of hypervisor-specific software for Windows: ``guest_tools.toml`` beside this module."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

from v2vlint.model.dataclass import dataclass

_TABLE = Path(__file__).with_name("guest_tools.toml")


@dataclass(frozen=True, slots=True)
class Family:
    """``program`` matches its name in the list of programs, ``services`` are its services and drivers, ``filters`` its class filters."""

    program: re.Pattern[str]
    services: tuple[str, ...]
    filters: frozenset[str]


@cache
def tool_families() -> dict[str, Family]:
    """The families by name."""
    data = tomllib.loads(_TABLE.read_text("utf-8"))
    return {
        family: Family(re.compile(one["program"], re.IGNORECASE), tuple(one["services"]), frozenset(one.get("filters", ())))
        for family, one in data.items()
    }


def family_of_filter(name: str) -> str:
    """The family that a class filter belongs to, ignoring case; empty when there is none."""
    return next((family for family, one in tool_families().items() if name.lower() in one.filters), "")
