"""Tests whether a rule behaves as its examples say: what ``v2vlint test`` reports about custom rules."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.engine.examples import apply_edits, flag_of, run_example, same_content
from v2vlint.engine.packs import LoadedRule
from v2vlint.fixing.plan import plan
from v2vlint.model.fix import Applicability
from v2vlint.model.rewrite import StaleEdit
from v2vlint.model.rule import Example

ROUNDS = 10


def faults(loaded: LoadedRule) -> Iterator[str]:
    """The differences between the rule and its examples, one per line; empty when there are none."""
    kind = type(loaded.rule)
    if not (kind.__doc__ or "").strip():
        yield "has no docstring, which is its documentation page"
    if not any(example.flags for example in kind.examples):
        yield "no example shows a finding"
    if all(example.flags or example.unknown for example in kind.examples):
        yield "no example shows a guest that is fine"
    for number, example in enumerate(kind.examples, 1):
        words = f"example {number}{f' ({example.title})' if example.title else ''}"
        yield from (f"{words}: {fault}" for fault in _example(loaded, example))


def _example(loaded: LoadedRule, example: Example) -> Iterator[str]:
    outcome = run_example(loaded.rule, example)
    if outcome.crashed:
        yield outcome.reason
        return
    found = tuple(map(flag_of, outcome.findings))
    if found != example.flags:
        yield f"finds {', '.join(found) or 'nothing'}, and should find {', '.join(example.flags) or 'nothing'}"
    if bool(outcome.unknowns) != example.unknown:
        yield f"could not tell: {outcome.reason}" if outcome.unknowns else "should say that it cannot tell"
    if example.severity is not None and outcome.findings and outcome.findings[0].severity is not example.severity:
        yield f"the severity is {outcome.findings[0].severity.label}, and should be {example.severity.label}"
    yield from (f"a finding at {flag_of(finding)} does not say what happens (effect)" for finding in outcome.findings if not finding.effect)
    if example.fixed is not None:
        yield from _fixed(loaded, example)


def _fixed(loaded: LoadedRule, example: Example) -> Iterator[str]:
    """Compare the files after repeated fixing with those of the example."""
    files = dict(example.files)
    for _round in range(ROUNDS):
        current = Example(files, example.given, target=example.target, mover=example.mover)
        found = (finding.fix for finding in run_example(loaded.rule, current).findings if finding.fix)
        try:
            after = apply_edits(files, (edit for fix in plan(found, Applicability.UNSAFE).chosen for edit in fix.edits))
        except StaleEdit as error:
            yield f"the fix does not fit: {error}"
            return
        if after == files:
            break
        files = after
    else:
        yield f"the fix still finds something to do after {ROUNDS} rounds"
    for path, wanted in (example.fixed or {}).items():
        if not same_content(files.get(path), wanted):
            yield f"the fix leaves {path} as {files.get(path)!r}, and should leave {wanted!r}"
