"""Data that a machine leaves on its disks and that copies should not have: ``traces.toml`` and ``agent_identities.toml`` beside this
file.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from v2vlint.facts.environment.accounts import Accounts
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import Delete
from v2vlint.model.place import WholeFile
from v2vlint.model.plain import Table

MAX_FILES = 2000
MAX_HOMES = 500


@dataclass(frozen=True, slots=True)
class AgentIdentity:
    """``again``: the agent registers again if its files are deleted."""

    name: str
    again: bool
    files: tuple[WholeFile, ...]


@dataclass(frozen=True, slots=True)
class Traces:
    """Files that are not empty, by the kinds of ``traces.toml``; ``agents`` are those that have registered this machine somewhere."""

    files: tuple[tuple[str, WholeFile], ...] = ()
    agents: tuple[AgentIdentity, ...] = ()

    def of(self, kind: str) -> tuple[WholeFile, ...]:
        """The files of one kind."""
        return tuple(place for name, place in self.files if name == kind)

    def deletions(self, kind: str) -> tuple[Delete, ...]:
        """The edits that remove them."""
        return tuple(Delete(place.path) for place in self.of(kind))


@provides
def find_traces(fs: GuestFS, accounts: Accounts) -> Traces:
    """Search all places in the tables."""
    homes = _homes(fs, accounts)
    files = [(kind, place) for kind, table in _table("traces.toml").items() for place in _found(fs, homes, table["files"])]
    agents = []
    for agent in _table("agent_identities.toml")["agent"]:
        found = tuple(_found(fs, homes, agent["files"]))
        if found:
            agents.append(AgentIdentity(agent["name"], agent.get("again", False), found))
    return Traces(tuple(files), tuple(agents))


@functools.cache
def _table(name: str) -> Table:
    return tomllib.loads((Path(__file__).parent / name).read_text("utf-8"))


def _homes(fs: GuestFS, accounts: Accounts) -> tuple[str, ...]:
    """The homes of every user with a login shell, and everything in /home; the root folder does not count as a home."""
    own = [user.home.rstrip("/") for user in accounts.users if user.has_shell]
    lying = [f"/home/{name}" for name in fs.listdir("/home")]
    return tuple(dict.fromkeys(home for home in ("/root", *own, *lying) if home.startswith("/")))[:MAX_HOMES]


def _found(fs: GuestFS, homes: tuple[str, ...], patterns: Iterable[str]) -> tuple[WholeFile, ...]:
    paths = (path for pattern in patterns for path in _matching(fs, homes, pattern))
    kept = (path for path in dict.fromkeys(paths) if not fs.is_masked(path) and fs.is_file(path))
    return tuple(WholeFile(path) for path in islice(kept, MAX_FILES))


def _matching(fs: GuestFS, homes: tuple[str, ...], pattern: str) -> Iterator[str]:
    if pattern.startswith("~"):
        for home in homes:
            yield from _matching(fs, (), f"{home}{pattern[1:]}")
    elif pattern.endswith("/**"):
        for folder in fs.glob(pattern.removesuffix("/**")):
            yield from islice(_below(fs, folder), MAX_FILES)
    else:
        yield from fs.glob(pattern)


def _below(fs: GuestFS, folder: str) -> Iterator[str]:
    """The files below a folder, at most :data:`MAX_FILES`."""
    try:
        yield from fs.walk(folder)
    except FactUnavailable as reason:
        # A folder with too many files has been listed as far as MAX_FILES by then.
        if "more than" not in reason.reason:
            raise
