"""The settings of a run: flags over configuration over the profile's defaults."""

from __future__ import annotations

import argparse
import datetime
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from v2vlint.engine.config import Config, confined, find, read
from v2vlint.engine.decisions import Decisions
from v2vlint.engine.profile import profile
from v2vlint.engine.protocol import Selection
from v2vlint.isolate import DEFAULT_LIMITS, Limits
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.target import Target
from v2vlint.run.texts import memory, split


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything a check needs besides its images and keys. ``connect`` is the libvirt of ``domain:NAME``, ``verify`` that of manifests."""

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
    connect: str = ""
    verify: bool = False


def load_config(args: argparse.Namespace) -> Config:
    """The configuration file that ``args`` name, or the one found upwards, or an empty one."""
    if args.no_config:
        return Config()
    if args.config:
        return read(Path(args.config))
    path = find(Path.cwd())
    return confined(read(path)) if path else Config()


def settle(args: argparse.Namespace) -> Settings:
    """Merge ``args`` with the configuration; UsageError when something in them makes no sense."""
    config = load_config(args)
    name = args.profile or config.profile or "default"
    chosen = profile(name)
    select, ignore = split(args.select) or config.select, split(args.ignore) or config.ignore
    wanted = split(args.target) or config.target or ("kvm",)
    connect = getattr(args, "connect", "")
    named = (*config.severity, *(one.id for one in config.exceptions if not set(one.id) & set("*?[")))
    return Settings(
        config=config,
        target_names=wanted,
        targets=_targets(wanted, config, connect, from_flags=bool(args.target)),
        mover=Mover(args.mover) if args.mover else config.mover or Mover.RAW,
        selection=Selection(select, ignore, name, named),
        fail_on=_fail_on(args, config, chosen.fail_on),
        strict=_first(getattr(args, "strict", None), config.strict, chosen.strict),
        jobs=_first(args.jobs, config.jobs, 1),
        limits=_limits(args, config),
        decisions=Decisions(config.severity, config.exceptions, config.images, _baseline(args, config), datetime.date.today()),
        connect=connect,
        verify=getattr(args, "verify_manifest", False),
    )


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _fail_on(args: argparse.Namespace, config: Config, default: Severity) -> Severity:
    flag = getattr(args, "fail_on", None)
    return Severity[flag.upper()] if flag else _first(config.fail_on, default)


def _limits(args: argparse.Namespace, config: Config) -> Limits:
    size = args.memory_limit or config.memory_limit
    return Limits(
        memory=memory(size) if size else DEFAULT_LIMITS.memory,
        cpu=_first(args.cpu_limit, config.cpu_limit, DEFAULT_LIMITS.cpu),
        wall=_first(args.time_limit, config.time_limit, DEFAULT_LIMITS.wall),
    )


def _targets(wanted: tuple[str, ...], config: Config, connect: str, *, from_flags: bool) -> tuple[Target, ...]:
    from v2vlint import target

    found: dict[str, Target] = {}
    for name in wanted:
        if name in config.targets:
            loaded = target.parse(name, config.targets[name], f"{config.origin}: targets.{name}")
        elif name.startswith("domain:"):
            loaded = live_target(name, connect)
        elif "/" in name or "." in name:
            loaded = target.load(name if from_flags else str(config.folder / name))
        else:
            loaded = target.load(name)
        if loaded.name in found:
            raise UsageError(f"target {loaded.name!r} is given twice")
        found[loaded.name] = loaded
    return tuple(found.values())


def live_target(name: str, connect: str) -> Target:
    """The target that the domain of a live libvirt is."""
    from v2vlint.source.live import live_domain
    from v2vlint.target.libvirt import from_text

    return from_text(name, live_domain(name.removeprefix("domain:"), connect).xml)


def _baseline(args: argparse.Namespace, config: Config) -> frozenset[str]:
    flag = getattr(args, "baseline", None)
    path = Path(flag) if flag else config.folder / config.baseline if config.baseline else None
    if path is None:
        return frozenset()
    from v2vlint.engine import baseline

    return baseline.read(path)
