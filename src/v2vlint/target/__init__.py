"""Targets: the shipped profiles, the user's own TOML profiles, and machines of libvirt and Proxmox VE."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from v2vlint.model.plain import Table
from v2vlint.model.target import Target
from v2vlint.target import profile
from v2vlint.target.shipped import base, names, shipped_profile

__all__ = ["load", "names", "parse"]


def parse(name: str, data: Table, origin: str) -> Target:
    """The target ``name`` from the TOML data of a profile; ``origin`` is what messages call it. UsageError when it is invalid."""
    return profile.parse(name, data, origin, load)


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
        return profile.parse(Path(name).stem, profile.read_toml(Path(name)), name, base)
    return shipped_profile(name)
