"""Generated from the installed rules: every example is a test, every fix converges, every rule is presentable."""

from __future__ import annotations

import pytest

from tests.said import known, section
from v2vlint.engine.examples import apply_edits, example_store, flag_of, run_example, same_content
from v2vlint.engine.packs import LoadedRule, load_all
from v2vlint.engine.run import run_rule
from v2vlint.fixing.plan import plan
from v2vlint.guest.fs import GuestFS
from v2vlint.model.fix import Applicability, ReplaceText
from v2vlint.model.rule import Example

RULES = load_all()
CASES = [
    pytest.param(loaded, example, id=f"{loaded.id}-{number}")
    for loaded in RULES
    for number, example in enumerate(type(loaded.rule).examples)
]
FIXES = [case for case in CASES if case.values[1].fixed is not None]  # type: ignore[union-attr]
SAID = known()
HEADINGS = ("## What it does", "## Why it matters")


@pytest.mark.parametrize(("loaded", "example"), CASES)
def test_example(loaded: LoadedRule, example: Example) -> None:
    outcome = run_example(loaded.rule, example)
    assert not outcome.crashed, outcome.reason
    assert tuple(map(flag_of, outcome.findings)) == example.flags
    assert bool(outcome.unknowns) == example.unknown, outcome.unknowns
    if example.severity is not None:
        assert outcome.findings[0].severity is example.severity


@pytest.mark.parametrize(("loaded", "example"), CASES)
def test_findings_are_presentable(loaded: LoadedRule, example: Example, request: pytest.FixtureRequest) -> None:
    outcome = run_example(loaded.rule, example)
    heading = request.node.callspec.id
    assert section(heading, outcome) == SAID.get(heading), "`make docs` writes tests/rules_say.txt anew"
    for finding in outcome.findings:
        assert finding.rule == loaded.id
        assert finding.effect, "a finding says what will happen to the guest"
        assert not finding.message.endswith(".")
        assert len(finding.message) < 240


@pytest.mark.parametrize(("loaded", "example"), CASES)
def test_edits_fit_the_file_they_name(loaded: LoadedRule, example: Example) -> None:
    guest = example_store(example).get(GuestFS)
    for finding in run_example(loaded.rule, example).findings:
        for edit in finding.fix.edits if finding.fix else ():
            if isinstance(edit, ReplaceText):
                text = guest.text(edit.where.path)
                assert text is not None
                assert text.content[edit.where.start : edit.where.end] == edit.expect


@pytest.mark.parametrize(("loaded", "example"), FIXES)
def test_fix_converges(loaded: LoadedRule, example: Example) -> None:
    assert example.fixed is not None
    files = dict(example.files)
    for _round in range(10):
        current = Example(files, example.given, target=example.target, mover=example.mover)
        outcome = run_rule(loaded.rule, example_store(current))
        chosen = plan([f.fix for f in outcome.findings if f.fix], Applicability.UNSAFE).chosen
        edits = [edit for fix in chosen for edit in fix.edits]
        after = apply_edits(files, edits)
        if after == files:
            break
        files = after
    else:
        pytest.fail("the fix does not converge in ten rounds")
    changed = {path: content for path, content in files.items() if not same_content(example.files.get(path), content)}
    gone = {path: None for path in example.files if path not in files}
    assert {**changed, **gone}.keys() == example.fixed.keys()
    assert [path for path, content in example.fixed.items() if not same_content(files.get(path), content)] == []


@pytest.mark.parametrize("loaded", RULES, ids=lambda loaded: loaded.id)
def test_rule_is_presentable(loaded: LoadedRule) -> None:
    kind = type(loaded.rule)
    info = loaded.info()
    assert kind.__module__.rsplit(".", 1)[1] == kind.id.replace("-", "_"), "the module is named after the rule"
    for heading in HEADINGS:
        assert heading in info.help
    assert any(example.flags for example in kind.examples), "at least one flagged example"
    assert any(not example.flags and not example.unknown for example in kind.examples), "at least one clean example"
    assert ("## Fix safety" in info.help) == info.fixable
    assert info.since
    assert len(info.title) <= 100
    assert not vars(loaded.rule), "rules are stateless"
