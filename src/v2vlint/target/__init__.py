"""Targets: the shipped profiles beside this module, the user's own TOML profiles, and libvirt domains."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from v2vlint.model.errors import UsageError
from v2vlint.model.target import Target
from v2vlint.target.profile import parse, read_toml

__all__ = ["load", "names", "parse"]

_PROFILES = Path(__file__).parent / "profiles"


@cache
def names() -> tuple[str, ...]:
    """The shipped profiles, sorted."""
    return tuple(sorted(path.stem for path in _PROFILES.glob("*.toml")))


@cache
def load(name: str) -> Target:
    """The shipped profile ``name``, or the target described by a file: a ``.toml`` profile, a libvirt domain's ``.xml``, or the
    ``.conf`` of a Proxmox VE machine.

    UsageError when it does not exist or is invalid.
    """
    if name.endswith(".xml"):
        from v2vlint.target.libvirt import from_domain

        return from_domain(Path(name))
    if name.endswith(".conf"):
        from v2vlint.target.proxmox import from_conf

        return from_conf(Path(name))
    if name.endswith(".toml"):
        return parse(Path(name).stem, read_toml(Path(name)), name, _base)
    if name not in names():
        raise UsageError(f"unknown target {name!r}", hint=_near(name))
    return parse(name, read_toml(_PROFILES / f"{name}.toml"), name, _base)


def _base(name: str) -> Target:
    if name not in names():
        raise UsageError(f"extends unknown target {name!r}", hint=_near(name))
    return load(name)


def _near(name: str) -> str:
    import difflib

    near = difflib.get_close_matches(name, names(), 1)
    meant = f"did you mean {near[0]}? " if near else ""
    return f"{meant}one of {', '.join(names())}, or a file: a .toml profile, a libvirt .xml, a Proxmox .conf"
