"""``domain:NAME``: domains known to libvirt, here or, with ``--connect qemu+ssh://host/system``, on another host."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from v2vlint.model.errors import UsageError
from v2vlint.model.source import GuestRef
from v2vlint.source.door import Door

if TYPE_CHECKING:
    from v2vlint.source.live import Live

PREFIX = "domain:"
INSTEAD = "a domain of another host is not written to from here: run v2vlint there, or copy its disks"


def _find(argument: str, connect: str) -> Iterator[GuestRef]:
    """The domain with that name, or all that match a pattern."""
    from v2vlint.source.live import live_names

    if host := _unreadable(connect):
        problem = f"the disks are on {host}, and this connection gives no access to them"
        yield GuestRef(argument, "libvirt", (), problem=problem, hint=_OTHERWISE.format(host))
        return
    try:
        names = live_names(argument.removeprefix(PREFIX), connect)
    except UsageError as error:
        yield GuestRef(argument, "libvirt", (), problem=error.message, hint=error.hint)
        return
    yield from (_domain(f"{PREFIX}{name}", connect) for name in names)


def _domain(argument: str, connect: str) -> GuestRef:
    from v2vlint.source.live import live_domain

    try:
        found = live_domain(argument.removeprefix(PREFIX), connect)
    except UsageError as error:
        return GuestRef(argument, "libvirt", (), problem=error.message, hint=error.hint)
    if place := _host(connect):
        return _elsewhere(argument, found, place)
    named = (*found.files, *(path for _target, path in found.volumes))
    return GuestRef(argument, "libvirt", (), found.xml, found.state, found.snapshots, found.volumes, named=named, saved=found.saved)


def _host(connect: str) -> str:
    """``user@host:port`` of a libvirt that is reached over ssh; empty for others."""
    scheme, _, rest = connect.partition("://")
    return rest.partition("/")[0] if scheme.partition("+")[2] in ("ssh", "libssh", "libssh2") else ""


def _unreadable(connect: str) -> str:
    """The host of a libvirt that is reached over the network, but not over ssh (``qemu+tls``, ``qemu+tcp``, ``esx``…); empty for others.

    The paths of its disks are that host's: here, they would be other files, or none.
    """
    host = urlsplit(connect).hostname or ""
    if _host(connect) or host in ("localhost", "127.0.0.1", "::1"):
        return ""
    return f"[{host}]" if ":" in host else host


def _elsewhere(argument: str, found: Live, place: str) -> GuestRef:
    """The domain of another host: its disks are read over SFTP."""
    volumes = tuple((target, f"sftp://{place}{quote(path)}") for target, path in (*found.sources, *found.volumes))
    named = (*(f"sftp://{place}{quote(path)}" for path in found.files), *(url for _target, url in volumes))
    texts = (found.xml, found.state, found.snapshots, volumes)
    return GuestRef(argument, "libvirt", (), *texts, named=named, saved=found.saved, unwritable=INSTEAD)


_OTHERWISE = "--connect qemu+ssh://root@{0}/system reads them over SFTP; vsphere://user@{0}/… those of a vCenter or ESXi"

DOORS = (Door("domain", "a libvirt domain", (PREFIX,), _find),)
