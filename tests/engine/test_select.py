"""Choosing rules by id, group, glob and profile."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from v2vlint.engine.packs import LoadedRule
from v2vlint.engine.profile import PROFILES
from v2vlint.engine.protocol import Selection
from v2vlint.engine.select import choose
from v2vlint.model.errors import NothingFound, UsageError
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.rule import Audience, Rule


class _Quiet(Rule):
    def check(self) -> Iterator[Finding]:
        """Find nothing."""
        yield from ()


class DiskName(_Quiet):
    """A disk is named."""

    severity = Severity.ERROR


class DiskAge(_Quiet):
    """A disk is old."""


class MachineId(_Quiet):
    """A machine has an id."""

    audience = Audience.PEDANTIC


class XorgDriver(_Quiet):
    """A driver is fixed."""

    audience = Audience.PEDANTIC
    severity = Severity.ERROR


RULES = (
    LoadedRule(DiskAge(), "p", "storage"),
    LoadedRule(DiskName(), "p", "storage"),
    LoadedRule(MachineId(), "p", "identity"),
    LoadedRule(XorgDriver(), "p", "display"),
)


def chosen(selection: Selection) -> list[str]:
    """The ids it takes."""
    return [rule.id for rule in choose(RULES, selection)]


@pytest.mark.parametrize(
    ("selection", "ids"),
    [
        (Selection(), ["disk-age", "disk-name"]),
        (Selection(profile="minimal"), ["disk-name"]),
        (Selection(profile="template"), ["disk-age", "disk-name", "machine-id"]),
        (Selection(profile="strict"), ["disk-age", "disk-name", "machine-id", "xorg-driver"]),
        (Selection(("xorg-driver",)), ["xorg-driver"]),
        (Selection(("storage", "machine-*")), ["disk-age", "disk-name", "machine-id"]),
        (Selection(("all",), ("disk-*",)), ["machine-id", "xorg-driver"]),
        (Selection(named=("disk-age", "exception-expired")), ["disk-age", "disk-name"]),
    ],
)
def test_selections(selection: Selection, ids: list[str]) -> None:
    assert chosen(selection) == ids


@pytest.mark.parametrize(
    ("selection", "complaint", "hint"),
    [
        (Selection(("disk-nam",)), "unknown rule or group 'disk-nam'", "did you mean disk-name"),
        (Selection(ignore=("storrage",)), "unknown rule or group 'storrage'", "did you mean storage"),
        (Selection(named=("qqqqqq",)), "unknown rule 'qqqqqq'", "'v2vlint rules' lists them"),
        (Selection(named=("disk",)), "unknown rule 'disk'", "did you mean disk-age or disk-name?"),
        (Selection(profile="lax"), "unknown profile 'lax'", "one of minimal"),
    ],
)
def test_names_that_fit_nothing(selection: Selection, complaint: str, hint: str) -> None:
    with pytest.raises(UsageError) as error:
        chosen(selection)
    assert error.value.message == complaint
    assert error.value.hint.startswith(hint)


@pytest.mark.parametrize("selection", [Selection(ignore=("storage",)), Selection(("all",), ("all",))])
def test_nothing_left(selection: Selection) -> None:
    with pytest.raises(NothingFound, match="no rule is left to run"):
        chosen(selection)


def test_only_strict_fails_on_what_could_not_be_told() -> None:
    assert [profile.name for profile in PROFILES.values() if profile.strict] == ["strict"]
