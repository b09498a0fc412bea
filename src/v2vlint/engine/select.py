"""Choosing rules by id, group or glob."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable

from v2vlint.engine import boot
from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.profile import profile
from v2vlint.engine.protocol import Selection
from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.rule import RuleInfo

ENGINE_OWN = frozenset({"exception-expired", boot.FORECAST.id})
"""Ids that do not belong to a pack's rule."""


def choose(rules: Iterable[LoadedRule], selection: Selection) -> tuple[LoadedRule, ...]:
    """The rules that ``selection`` includes, in their order. UsageError names a pattern that matches no rule, and the nearest id.

    NothingFound when none is left.
    """
    rules = tuple(rules)
    known: tuple[LoadedRule | RuleInfo, ...] = (*rules, boot.FORECAST)
    for pattern in (*selection.select, *selection.ignore):
        if not any(matches(rule, pattern) for rule in known):
            raise unknown_rule(pattern, rules, groups=True)
    for name in selection.named:
        if name not in ENGINE_OWN and all(rule.id != name for rule in rules):
            raise unknown_rule(name, rules)
    wanted = profile(selection.profile)
    chosen = [
        rule for rule in rules if any(matches(rule, p) for p in selection.select) or (not selection.select and wanted.takes(rule.info()))
    ]
    left = tuple(rule for rule in chosen if not any(matches(rule, pattern) for pattern in selection.ignore))
    # "--select forecast" leaves no rule, and is something to run all the same.
    if not left and not (selection.select and forecast_wanted(selection)):
        raise NothingFound("no rule is left to run", hint="--ignore removes everything that --select or the profile selects")
    return left


def forecast_wanted(selection: Selection) -> bool:
    """Whether the forecast counts: decided like a rule of that name, by --select, --ignore and the profile."""
    if any(matches(boot.FORECAST, pattern) for pattern in selection.ignore):
        return False
    if selection.select:
        return any(matches(boot.FORECAST, pattern) for pattern in selection.select)
    return profile(selection.profile).takes(boot.FORECAST)


def infos(rules: Iterable[LoadedRule], selection: Selection) -> tuple[RuleInfo, ...]:
    """The data that a report needs about the rules that ran, including the forecast."""
    return (*(rule.info() for rule in rules), *((boot.FORECAST,) if forecast_wanted(selection) else ()))


def matches(rule: LoadedRule | RuleInfo, pattern: str) -> bool:
    """Whether ``pattern`` (an id, a group, a glob of either, or ``all``) matches ``rule``."""
    return pattern == "all" or fnmatch.fnmatchcase(rule.id, pattern) or fnmatch.fnmatchcase(rule.group, pattern)


def unknown_rule(name: str, rules: Iterable[LoadedRule], *, groups: bool = False) -> UsageError:
    """The error for a name that is not a rule's (or, with ``groups``, a group's)."""
    import difflib

    rules = tuple(rules)
    names = sorted({rule.id for rule in rules} | ({rule.group for rule in rules} if groups else set()))
    near = difflib.get_close_matches(name, names, 3, 0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "'v2vlint rules' lists them"
    return UsageError(f"unknown rule {'or group ' if groups else ''}{name!r}", hint=hint)
