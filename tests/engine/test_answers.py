"""The rules' texts are sent once in a run, and a child can only name those that its parent received."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from v2vlint import target
from v2vlint.engine import worker
from v2vlint.engine.check import _Rules
from v2vlint.engine.judge import judge
from v2vlint.engine.protocol import CheckAsk
from v2vlint.model.codec import encode
from v2vlint.model.report import TargetReport
from v2vlint.model.source import GuestRef

ASK = CheckAsk(GuestRef("nothing", "disks", ()), (target.load("kvm"),))


def test_a_second_answer_names_the_rules() -> None:
    rules = _Rules()
    first = rules.judged(worker.check(encode(ASK)))
    again = worker.check(encode(dataclasses.replace(ASK, known=rules.digest)))
    assert again["rules"] == rules.digest
    assert rules.judged(again).rules == first.rules
    assert len(first.rules) > 100


def test_other_rules_are_sent_whole_and_kept_apart() -> None:
    rules = _Rules()
    whole = worker.check(encode(ASK))
    rules.judged(whole)
    digest = rules.digest
    assert len(rules.judged({**whole, "rules": whole["rules"][:1]}).rules) == 1
    assert (rules.digest, rules.judged({**whole, "rules": digest}).rules) == (digest, rules.judged(whole).rules)


@pytest.mark.parametrize("named", ["", "0" * 64])
def test_rules_that_were_not_sent_are_no_answer(named: str) -> None:
    answer = {**worker.check(encode(ASK)), "rules": named}
    fresh, known = _Rules(), _Rules()
    known.judged(worker.check(encode(ASK)))
    for rules in (fresh, known):
        with pytest.raises((TypeError, ValueError)):
            rules.judged(answer)


def test_what_warms_many_children_judges_both_kinds_of_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """The made-up guests get as far as their roots, so that hardly a fact is left to be prepared by each child."""
    seen: list[tuple[TargetReport, ...]] = []

    def judged(*asked: Any) -> tuple[TargetReport, ...]:
        seen.append(judge(*asked))
        return seen[-1]

    monkeypatch.setattr(worker, "judge", judged)
    worker._rehearse(windows=False)
    worker._rehearse(windows=True)
    for reports in seen:
        statuses = [result.status.value for result in reports[0].results]
        assert not any(result.crashed for result in reports[0].results)
        assert statuses.count("not_applicable") < len(statuses) / 2
    assert [len(reports) for reports in seen] == [1, 1]
