"""What every rule says about its own examples, kept in ``rules_say.txt``: ``python -m tests.said`` writes it anew.

A reader of that file sees every wording, and a change of one condition or word shows as a line of a diff.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from v2vlint.engine.examples import flag_of, run_example
from v2vlint.engine.packs import load_all
from v2vlint.engine.run import Outcome
from v2vlint.model.finding import Finding
from v2vlint.model.fix import Edit, RegistryDeleteKey, RegistrySet, ReplaceText, WriteData, WriteFile

KEPT = Path(__file__).with_name("rules_say.txt")


def words(outcome: Outcome) -> Iterator[str]:
    """The outcome as lines: findings with their effect, further places and fix; what could not be told; why the rule did not apply."""
    for finding in outcome.findings:
        yield f"{finding.severity.label} {flag_of(finding)} {finding.stage or '-'}: {finding.message}"
        yield f"    {finding.effect}"
        yield from (f"    see {place}" for place in finding.related)
        yield from (f"    {line}" for line in _of_fix(finding))
    yield from (f"unknown {unknown.where}: {unknown.reason}" for unknown in outcome.unknowns)
    if not outcome.findings and not outcome.unknowns:
        yield f"{outcome.status}{f': {outcome.reason}' if outcome.reason else ''}"


def _of_fix(finding: Finding) -> Iterator[str]:
    if finding.fix is not None:
        yield f"{finding.fix.applicability.name.lower()}: {finding.fix.title}"
        yield from (f"    {_of_edit(edit)}" for edit in finding.fix.edits)


def _of_edit(edit: Edit) -> str:
    match edit:
        case ReplaceText(where, expect, text):
            return f"{where}: {expect!r} becomes {text!r}"
        case RegistrySet(hive, key, name) | RegistryDeleteKey(hive, key, name):
            return f"{type(edit).__name__} {hive}:{key}:{name if isinstance(edit, RegistrySet) else ''}"
        case WriteFile(path) | WriteData(path):
            return f"{type(edit).__name__} {path}"
        case _:
            return repr(edit)


def section(heading: str, outcome: Outcome) -> str:
    """One example: its heading, as in the ids of the tests, and what the rule says."""
    return "\n".join([f"[{heading}]", *(line if line.isprintable() else repr(line) for line in words(outcome))])


def known() -> dict[str, str]:
    """The sections of the file by their headings."""
    found = KEPT.read_text("utf-8").rstrip("\n").split("\n\n")
    return {text.partition("\n")[0].strip("[]"): text for text in found}


def main() -> None:
    """Write them."""
    made = [
        section(f"{loaded.id}-{number}", run_example(loaded.rule, example))
        for loaded in load_all()
        for number, example in enumerate(type(loaded.rule).examples)
    ]
    KEPT.write_text("\n\n".join(made) + "\n", "utf-8")


if __name__ == "__main__":
    main()
