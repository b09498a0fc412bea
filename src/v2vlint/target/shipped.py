"""The profiles that are shipped beside this module."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from v2vlint.model.errors import UsageError
from v2vlint.model.target import Target
from v2vlint.target.profile import parse, read_toml

_PROFILES = Path(__file__).parent / "profiles"


@cache
def names() -> tuple[str, ...]:
    """The shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in _PROFILES.glob("*.toml")))


@cache
def shipped_profile(name: str) -> Target:
    """The shipped profile ``name``. UsageError when there is none."""
    if name not in names():
        raise UsageError(f"unknown target {name!r}", hint=_near(name))
    return parse(name, read_toml(_PROFILES / f"{name}.toml"), name, base)


def base(name: str) -> Target:
    """The shipped profile that another one extends. UsageError when there is none."""
    if name not in names():
        raise UsageError(f"extends unknown target {name!r}", hint=_near(name))
    return shipped_profile(name)


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, names(), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}one of {', '.join(names())}, or a file: a .toml profile, a libvirt .xml, a Proxmox .conf"
