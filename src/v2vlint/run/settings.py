"""The settings of a run: the caller's, over the configuration, over the profile's defaults."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from v2vlint.engine import recipes
from v2vlint.engine.config import Config, confined, find, read
from v2vlint.engine.decisions import Decisions
from v2vlint.engine.profile import profile
from v2vlint.engine.protocol import Selection
from v2vlint.isolate import DEFAULT_LIMITS, Limits
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.source import GuestRef
from v2vlint.model.target import Target
from v2vlint.run.discovery import Found, discover
from v2vlint.run.texts import memory
from v2vlint.source.expand import expand_all
from v2vlint.source.tree import EVERYTHING, Search

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Access:
    """How guests are found: ``connect`` is the libvirt URI for ``domain:NAME``, ``verify`` checks the checksums of whole OVF packages.

    ``hashed`` includes the digests of all files that are opened; ``configuration`` is the one to use in OVF packages; ``allowed`` are
    folders that may contain files a guest refers to; ``search`` says how folders are searched.
    """

    connect: str = ""
    verify: bool = False
    hashed: bool = False
    allowed: tuple[str, ...] = ()
    configuration: str = ""
    search: Search = EVERYTHING

    def guests(self, images: Sequence[str]) -> tuple[GuestRef, ...]:
        """The guests that ``images`` name; see :meth:`find`."""
        return self.find(images).guests

    def find(self, images: Sequence[str], limits: Limits = DEFAULT_LIMITS, jobs: int = 1) -> Found:
        """The guests that ``images`` name, each once, and everything else that was found; see :func:`~v2vlint.source.expand.expand_all`.

        NothingFound when folders contain no guests.
        """
        wishes = {"verify": self.verify, "hashed": self.hashed}
        named = expand_all(images, self.connect, allowed=self.allowed, configuration=self.configuration, search=self.search, **wishes)
        found = discover(named.refs, named.others, limits, jobs)
        if images and named.refs and not found.guests:
            raise NothingFound(f"{', '.join(images)}: no guest among {len(found.not_judged)} files")
        return found


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a run needs besides its guests and their keys. ``config`` is the merged configuration, from which the rest follows."""

    config: Config
    target_names: tuple[str, ...]
    targets: tuple[Target, ...]
    mover: Mover
    selection: Selection
    fail_on: Severity
    strict: bool
    jobs: int
    limits: Limits
    decisions: Decisions
    access: Access


def found(start: Path) -> Config:
    """The configuration found in the folder ``start`` or above; an empty one when there is none."""
    path = find(start)
    return confined(read(path)) if path else Config()


def settle(said: Config, base: Config, access: Access) -> Settings:
    """What the caller ``said``, over the configuration ``base``. UsageError when something in them is invalid."""
    config = said.over(base)
    name = config.profile or "default"
    chosen = profile(name)
    wanted = config.target or ("kvm",)
    # A glob need not match any rule; an id has to exist.
    named = (*config.severity, *(one.id for one in config.exceptions if not set(one.id) & set("*?[")))
    allowing = said.folder if said.allow_folder else base.folder
    known = _baseline(said.folder if said.baseline else base.folder, config.baseline)
    return Settings(
        config=config,
        target_names=wanted,
        targets=_targets(wanted, config, said.folder if said.target else base.folder, access.connect),
        mover=config.mover or Mover.RAW,
        selection=Selection(config.select, config.ignore, name, named, rule_folders(said, base)),
        fail_on=_first(config.fail_on, chosen.fail_on),
        strict=_first(config.strict, chosen.strict),
        jobs=_first(config.jobs, 1),
        limits=_limits(config),
        decisions=Decisions(
            config.severity, config.exceptions, config.images, known, datetime.date.today(), recipes.load(said if said.recipes else base)
        ),
        access=replace(access, allowed=tuple(str(allowing / folder) for folder in config.allow_folder)),
    )


def rule_folders(said: Config, base: Config) -> tuple[str, ...]:
    """The folders of custom rules in use, relative to whoever named them."""
    source = said if said.rules else base
    return tuple(str((source.folder / folder).absolute()) for folder in source.rules)


def _first(value: T | None, default: T) -> T:
    return default if value is None else value


def _limits(config: Config) -> Limits:
    return Limits(
        memory=memory(config.memory_limit) if config.memory_limit else DEFAULT_LIMITS.memory,
        cpu=_first(config.cpu_limit, DEFAULT_LIMITS.cpu),
        wall=_first(config.time_limit, DEFAULT_LIMITS.wall),
    )


def _targets(wanted: tuple[str, ...], config: Config, folder: Path, connect: str) -> tuple[Target, ...]:
    loaded: dict[str, Target] = {}
    for name in wanted:
        one = load_target(name, config, folder, connect)
        if one.name in loaded:
            raise UsageError(f"target {one.name!r} is given twice")
        loaded[one.name] = one
    return tuple(loaded.values())


def load_target(name: str, config: Config, folder: Path = Path(), connect: str = "") -> Target:
    """A target by name: one defined in the configuration, ``domain:NAME``, a file (relative to ``folder``) or a shipped profile."""
    from v2vlint import target

    if name in config.targets:
        return target.parse(name, config.targets[name], f"{config.origin}: targets.{name}")
    if name.startswith("domain:"):
        return _live_target(name, connect)
    return target.load(str(folder / name) if "/" in name or "." in name else name)


def _live_target(name: str, connect: str) -> Target:
    """The target described by a domain of a running libvirt."""
    from v2vlint.source.live import live_domain
    from v2vlint.target.libvirt import from_text

    return from_text(name, live_domain(name.removeprefix("domain:"), connect).xml)


def _baseline(folder: Path, name: str) -> frozenset[str]:
    if not name:
        return frozenset()
    from v2vlint.engine import baseline

    return baseline.read(folder / name)
