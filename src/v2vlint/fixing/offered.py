"""The fixes that may be made under the user's decisions: excepted findings are left alone, and so are those in a baseline."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.fixing.protocol import Held
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Finding
from v2vlint.model.fix import Fix
from v2vlint.model.report import FindingReport


@dataclass(frozen=True, slots=True)
class Offered:
    """``findings`` to repair, the fixes ``held`` back because of an exception, and the number of ``known`` findings in the baseline."""

    findings: tuple[Finding, ...] = ()
    held: tuple[Held, ...] = ()
    known: int = 0

    @property
    def fixes(self) -> dict[Fix, str]:
        """Every fix, with the rule that offers it."""
        return {finding.fix: finding.rule for finding in self.findings if finding.fix}


def offered(found: Iterable[FindingReport]) -> Offered:
    """Sort the findings of one root that have a fix. A fix is held back if it would also change something excepted.

    A fix shared by a new and a known finding is made, for the sake of the new one.
    """
    fixable = [report for report in found if report.finding.fix]
    excepted = {report.finding.fix: report for report in reversed(fixable) if report.exception}
    wanted = {report.finding.fix for report in fixable if report.counts} - excepted.keys()
    known = {_same(report.finding) for report in fixable if not report.counts and report.finding.fix not in excepted.keys() | wanted}
    held = (Held(one.finding.rule, fix.title, f"left alone: excepted, {one.exception}") for fix, one in excepted.items() if fix)
    return Offered(
        findings=tuple(report.finding for report in fixable if report.finding.fix in wanted),
        held=tuple(dict.fromkeys(held)),
        known=len(known),
    )


def _same(finding: Finding) -> tuple[object, ...]:
    """The key by which findings are the same: a guest that is judged for several targets has each of them once per target."""
    return finding.rule, finding.where, finding.message
