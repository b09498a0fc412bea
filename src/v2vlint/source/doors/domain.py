"""``domain:NAME``: domains that libvirt knows."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.model.errors import UsageError
from v2vlint.model.source import GuestRef
from v2vlint.source.door import Door

PREFIX = "domain:"


def _find(argument: str, connect: str) -> Iterator[GuestRef]:
    """The domain that is named, or all that a pattern fits."""
    from v2vlint.source.live import live_names

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
    named = (*found.files, *(path for _target, path in found.volumes))
    return GuestRef(argument, "libvirt", (), found.xml, found.state, found.snapshots, found.volumes, named=named, saved=found.saved)


DOORS = (Door("domain", "a libvirt domain", (PREFIX,), _find),)
