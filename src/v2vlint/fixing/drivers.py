"""Fixes that need something from the host besides the guest. They are added to the findings after judging."""

from __future__ import annotations

from dataclasses import replace

from v2vlint.fixing.protocol import Held
from v2vlint.fixing.virtio_win import RULE, VirtioWinMedium, virtio_win_fix
from v2vlint.guest.open import Root
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Finding
from v2vlint.model.fix import Fix
from v2vlint.model.place import RegistryKey
from v2vlint.model.report import FindingReport, RootReport, RuleResult
from v2vlint.model.rewrite import registry_changes, unified


class DriverOffer:
    """Offers the drivers of a virtio-win medium to one root; ``held`` collects what could not be offered, with the reason."""

    def __init__(self, medium: VirtioWinMedium, root: Root) -> None:
        self._medium, self._root = medium, root
        self._fixes: dict[str, Fix | None] = {}
        self.held: list[Held] = []

    def to(self, report: RootReport) -> RootReport:
        """The report with a fix added to each finding that has none and that the medium can repair."""
        if report.os.kind != "windows":
            return report
        targets = tuple(replace(target, results=tuple(map(self._result, target.results))) for target in report.targets)
        return replace(report, targets=targets)

    def _result(self, result: RuleResult) -> RuleResult:
        return replace(result, findings=tuple(map(self._finding, result.findings))) if result.rule == RULE else result

    def _finding(self, report: FindingReport) -> FindingReport:
        fix = None if report.finding.fix else self._fix(report.finding)
        if fix is None:
            return report
        return replace(report, finding=replace(report.finding, fix=fix), diff=unified(registry_changes(fix.edits)))

    def _fix(self, finding: Finding) -> Fix | None:
        where = finding.where
        parts = where.key.split("\\") if isinstance(where, RegistryKey) else []
        if not isinstance(where, RegistryKey) or "Services" not in parts[:-1]:
            return None
        driver = parts[parts.index("Services") + 1]
        if driver not in self._fixes:
            self._fixes[driver] = self._make(driver)
        return self._fixes[driver]

    def _make(self, driver: str) -> Fix | None:
        try:
            return virtio_win_fix(self._root.fs, self._root.os, self._medium, driver)
        except FactUnavailable as reason:
            self.held.append(Held(RULE, f"install {driver} from virtio-win", str(reason)))
            return None
