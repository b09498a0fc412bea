"""What systemd starts together with a unit: Wants=, Requires=, BindsTo=, Upholds= and the folders of links (systemd.unit(5))."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from v2vlint.facts.systemd.specifiers import units_named
from v2vlint.facts.systemd.unit_files import UnitFiles

_PULLS = ("Requires", "BindsTo", "Wants", "Upholds")
_LINKS = ("requires", "wants", "upholds")
_MAX_UNITS = 10_000


def pulled_in(files: UnitFiles, tops: Iterable[str], masked: Collection[str] = ()) -> frozenset[str]:
    """The names of ``tops`` and of what they pull in, directly or not, whether or not there is such a unit: what is asked for, and the unit
    that this is an alias of. Links in a folder of either count. Nothing masked is among them, nor what only that would start.
    """
    pending, seen = list(tops), set[str]()
    while pending and len(seen) < _MAX_UNITS:
        asked = pending.pop()
        names = {asked, files.alias_of(asked)}
        if names <= seen or any(name in masked or files.is_masked(name) for name in names):
            continue
        for name in sorted(names - seen):
            seen.add(name)
            pending += units_named(files.own(name) or files.changes(name), *_PULLS)
            pending += (linked for kind in _LINKS for linked in files.linked(name, kind))
    return frozenset(seen)
