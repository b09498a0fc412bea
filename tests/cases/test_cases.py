"""Every case of ``cases.tsv``, built into real images: what is said of it is right, or it is on the list of those that are not yet."""

from __future__ import annotations

import csv
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from guestbuild.samples import cached, recipes
from tests.cases.words import holds, told
from v2vlint import target
from v2vlint.engine import worker
from v2vlint.engine.protocol import CheckAsk, Judged
from v2vlint.fixing.prepare import prepare
from v2vlint.fixing.protocol import FixAsk, PreparedFix
from v2vlint.model.codec import decode, encode
from v2vlint.model.finding import Mover
from v2vlint.model.report import Report
from v2vlint.model.source import GuestRef
from v2vlint.report.formats.json_report import as_data

HERE = Path(__file__).parent
GUESTS = HERE / "guests"
NOT_YET = dict(line.split("\t") for line in (HERE / "not-yet.txt").read_text(encoding="utf-8").splitlines())


@dataclass(frozen=True, slots=True)
class Case:
    """One line of the table."""

    name: str
    guest: str
    arguments: str
    words: str
    why: str

    @property
    def ask(self) -> CheckAsk:
        """What the arguments ask of the guest."""
        words = shlex.split(self.arguments)
        options = dict(zip(words[::2], words[1::2], strict=True))
        guest = GuestRef(self.guest, "disks", tuple(map(str, cached(self.guest, GUESTS))))
        return CheckAsk(guest, (target.load(options["-t"]),), Mover(options.get("--mover", "raw")))


def table() -> list[Case]:
    """All lines."""
    with (HERE / "cases.tsv").open(encoding="utf-8") as stream:
        return [Case(*row) for row in csv.reader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)]


def parameters() -> list[Any]:
    """The cases as parameters; those that are not right today must fail."""
    marks = {name: [pytest.mark.xfail(reason=f"issue {issue}", strict=True, raises=AssertionError)] for name, issue in NOT_YET.items()}
    return [pytest.param(case, id=case.name, marks=[*marks.get(case.name, ()), pytest.mark.xdist_group(case.guest)]) for case in table()]


@pytest.mark.slow
@pytest.mark.parametrize("case", parameters())
def test_the_report_is_right(case: Case) -> None:
    ask = case.ask
    judged = decode(Judged, worker.check(encode(ask)))
    data = as_data(Report("0", tuple(one.name for one in ask.targets), ask.mover, (judged.image,), judged.rules))
    short = told(data)
    missed = [word for word in case.words.split() if not holds(word, short, lambda: _fix(ask))]
    assert not missed, f"{case.why}\n{short.found}\n{short.boots} {[pair for pair in short.fates if pair[1] != 'pass']}"


def _fix(ask: CheckAsk) -> str:
    prepared = decode(PreparedFix, prepare(encode(FixAsk(ask))))
    lines = [prepared.diff, *(f"would {chosen.title}" for chosen in prepared.chosen)]
    return "\n".join([*lines, *(f"not fixed: {held.title} {held.reason}" for held in prepared.held)])


def test_the_table_and_the_recipes_belong_together() -> None:
    cases = table()
    names = [case.name for case in cases]
    assert len(set(names)) == len(names)
    assert {case.guest for case in cases} == set(recipes(GUESTS))
    assert all(case.why for case in cases)


def test_the_list_of_what_is_not_right_is_in_order() -> None:
    assert list(NOT_YET) == sorted(NOT_YET)
    assert set(NOT_YET) <= {case.name for case in table()}
    assert all(re.fullmatch(r"\d+", issue) for issue in NOT_YET.values())


@pytest.mark.parametrize(
    ("word", "true"),
    [
        ("rc=1", True),
        ("boot=no", True),
        ("boot=!no", False),
        ("stage:root=fail", True),
        ("stage:root=!fail", False),
        ("-error", False),
        ("-warning", True),
        ("+a|b:error", True),
        ("+a:warning", False),
        ("-b", True),
        (r"+/it\sis/", True),
        ("-/nothing/", True),
        ("fix+/would/", True),
        ("fix-/would/", False),
    ],
)
def test_words_of_the_table(word: str, true: bool) -> None:
    result = {"rule": "a", "findings": [{"severity": "error", "message": "it is", "effect": "", "where": {}}], "unknowns": []}
    forecast = {"will_boot": False, "stages": [{"stage": "root", "fate": "fail", "reason": "gone"}]}
    image = {"problems": [], "machine": [], "roots": [{"targets": [{"forecast": forecast, "results": [result]}]}]}
    assert holds(word, told({"exit_code": 1, "images": [image]}), lambda: "would do it") == true
