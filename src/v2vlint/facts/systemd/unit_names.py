"""Names of units: which ones systemd takes, and what the name of a template stands for where a unit asks for it."""

from __future__ import annotations

import re

KINDS = frozenset({"service", "socket", "device", "mount", "automount", "swap", "target", "path", "timer", "slice", "scope"})
_LONGEST = 255
_NAME = re.compile(r"[0-9A-Za-z:_.\\-][0-9A-Za-z:_.\\@-]*")


def is_unit_name(name: str) -> bool:
    """Whether it is one (unit_name_is_valid() of unit-name.c), of a template or not. systemd passes over any other word."""
    stem, _, kind = name.rpartition(".")
    return kind in KINDS and len(name) <= _LONGEST and _NAME.fullmatch(stem) is not None


def asked_by(name: str, unit: str) -> str:
    """The unit that ``unit`` asks for as ``name``: of a template, the instance that it is one of itself, or called after it
    (resolve_template() of unit.c).
    """
    stem, _, kind = name.rpartition(".")
    if not stem.endswith("@") or "@" in stem[:-1]:
        return name
    own = unit.rpartition(".")[0]
    prefix, at, instance = own.partition("@")
    return f"{stem}{instance if at and instance else prefix}.{kind}"
