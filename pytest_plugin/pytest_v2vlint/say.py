"""The text of a failing item: the finding, its place with the line marked, the effect, and the fix as a diff."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from v2vlint.model.proof import Proof
from v2vlint.model.report import Fate, FindingReport, Forecast
from v2vlint.report import words
from v2vlint.report.escape import visible, without_commands


def findings(found: Iterable[FindingReport], heading: str) -> str:
    """Findings under a heading."""
    return without_commands("\n".join([visible(heading), *(line for one in found for line in ("", *_finding(one)))]))


def _finding(found: FindingReport) -> Iterator[str]:
    finding = found.finding
    yield visible(f"{finding.severity.label}: {finding.where}: {finding.message}")
    if finding.effect:
        yield visible(f"  effect: {finding.effect}")
    yield from (f"  {line}" for line in words.marked(found))
    if finding.fix:
        yield visible(f"  fix ({words.safety(finding.fix)}): {finding.fix.title}")
        yield from (visible(f"    {edit}") for edit in words.unseen_edits(finding.fix))
    yield from (f"    {visible(line, keep=chr(9))}" for line in found.diff.splitlines())


def one_line(found: FindingReport) -> str:
    """A finding for pytest's list of warnings."""
    return without_commands(visible(f"{found.finding.where}: {found.finding.message}; {found.finding.effect}".removesuffix("; ")))


_MARKS = {Fate.PASS: "ok", Fate.FAIL: "FAILS", Fate.UNKNOWN: "unknown", Fate.SKIPPED: "-"}


def forecast(one: Forecast, image: str, target: str) -> str:
    """A boot, stage by stage."""
    lines = [f"{image} {words.verdict(one, target)}", ""]
    for stage in one.stages:
        place = f" ({stage.where})" if stage.where and stage.fate in (Fate.FAIL, Fate.UNKNOWN) else ""
        rule = f" [{stage.rule}]" if stage.rule else ""
        lines.append(f"  {_MARKS[stage.fate]:8}{stage.stage.value:11}{stage.reason}{place}{rule}".rstrip())
    lines += ["", f"way back: {one.way_back}"] if one.way_back else []
    return without_commands("\n".join(map(visible, lines)))


def proof(one: Proof, image: str) -> str:
    """A real boot, milestone by milestone, with the guest's own messages that decided it."""
    outcome = {True: "came up", False: "did not come up", None: "may or may not have come up"}[one.came_up]
    lines = [f"{image} {outcome} on {one.target} ({one.acceleration}, {one.seconds:.0f} s): {one.reason}", ""]
    lines += [f"  {step.reached.value:9}{step.name:12}{step.evidence}".rstrip() for step in one.milestones]
    lines += [f"  | {line}" for line in one.evidence]
    return without_commands("\n".join(map(visible, lines)))
