"""What every format needs from a report: findings with their context, merged over targets, undecided rules, and counts."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Severity
from v2vlint.model.place import Span, Where, WholeFile
from v2vlint.model.report import FindingReport, ImageReport, Report, RuleResult, Status, TargetReport
from v2vlint.model.rule import RuleInfo


@dataclass(frozen=True, slots=True)
class Hit:
    """One finding with where it was found, merged over the targets that share it.

    ``device`` is that of its root, empty for a finding about the machine.
    ``shown`` is the report of the target with the highest severity; ``targets`` holds the severity for each; ``key`` is its fingerprint,
    made unique within the run.
    """

    image: ImageReport
    device: str
    shown: FindingReport
    targets: tuple[tuple[str, Severity], ...]
    key: str

    @property
    def severity(self) -> Severity:
        """The worst severity over its targets."""
        return self.shown.finding.severity

    @property
    def rule(self) -> str:
        """The id of its rule."""
        return self.shown.finding.rule


@dataclass(frozen=True, slots=True)
class Gap:
    """An undecided rule, merged over the targets that share it; ``crashed`` marks a bug in the rule."""

    image: ImageReport
    device: str
    rule: str
    where: Where
    reason: str
    targets: tuple[str, ...]
    crashed: bool


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of a run or an image. Findings are counted once over all targets, the other outcomes per target."""

    errors: int
    warnings: int
    infos: int
    excepted: int
    baselined: int
    unknown: int
    passed: int
    not_applicable: int
    problems: int


def judged(image: ImageReport) -> Iterator[tuple[str, TargetReport, RuleResult]]:
    """Every rule result of an image with the device of its root (empty for the machine) and its target."""
    for device, target in image.judged():
        for result in target.results:
            yield device, target, result


def hits(report: Report) -> tuple[Hit, ...]:
    """All findings, image by image, the worst first."""
    found = [hit for image in report.images for hit in _of_image(image)]
    shared = Counter(hit.key for hit in found)
    seen: Counter[str] = Counter()
    unique = []
    for hit in found:
        key = hit.key if shared[hit.key] == 1 else _distinct(hit, seen)
        unique.append(Hit(hit.image, hit.device, hit.shown, hit.targets, key))
    return tuple(unique)


def _of_image(image: ImageReport) -> list[Hit]:
    groups: dict[tuple[object, ...], list[tuple[str, str, FindingReport]]] = {}
    for device, target, result in judged(image):
        for report in result.findings:
            finding = report.finding
            key = (device, finding.rule, finding.where, finding.message, report.exception, report.baselined)
            groups.setdefault(key, []).append((device, target.target, report))
    merged = [_merge(image, group) for group in groups.values()]
    return sorted(merged, key=lambda hit: (-hit.severity, hit.rule, position(hit.shown.finding.where), hit.device))


def _merge(image: ImageReport, group: list[tuple[str, str, FindingReport]]) -> Hit:
    device, _target, worst = max(group, key=lambda item: item[2].finding.severity)
    targets = tuple((target, report.finding.severity) for _device, target, report in group)
    return Hit(image, device, worst, targets, worst.fingerprint)


def _distinct(hit: Hit, seen: Counter[str]) -> str:
    parts = (hit.key, hit.image.name, hit.device, hit.shown.finding.message)
    key = stable_hash(*parts)
    seen[key] += 1
    return key if seen[key] == 1 else stable_hash(*parts, str(seen[key]))


def stable_hash(*parts: str) -> str:
    """Sixteen hexadecimal digits that depend only on the parts."""
    return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def position(where: Where) -> tuple[str, int, int]:
    """A sort key for places: path or name, line, column."""
    return (where.path, where.line, where.column) if isinstance(where, Span) else (str(where), 0, 0)


def outside(where: Where | None) -> str:
    """The path of a file outside the guest (the machine's definition); empty for places in the guest."""
    path = where.path if isinstance(where, Span | WholeFile) else ""
    return "" if path.startswith("/") else path


def gaps(image: ImageReport) -> tuple[Gap, ...]:
    """The undecided rules of an image, sorted by rule."""
    groups: dict[tuple[str, str, Where, str], tuple[list[str], bool]] = {}
    for device, target, result in judged(image):
        for unknown in result.unknowns:
            fresh: tuple[list[str], bool] = ([], result.crashed)
            group = groups.setdefault((device, unknown.rule, unknown.where, unknown.reason), fresh)
            group[0].append(target.target)
    found = (Gap(image, *key, tuple(names), crashed) for key, (names, crashed) in groups.items())
    return tuple(sorted(found, key=lambda gap: (gap.rule, position(gap.where), gap.device)))


def logical_name(image: ImageReport) -> str:
    """The name of an image independent of its folder: as given, or the last part of an absolute path."""
    return "+".join(part.rsplit("/", 1)[-1] if part.startswith("/") else part for part in image.name.split("+"))


def tally(images: Iterable[ImageReport], found: Iterable[Hit]) -> Tally:
    """Count the outcomes of ``images``; ``found`` are their findings."""
    statuses: Counter[Status] = Counter()
    unknown = problems = 0
    for image in images:
        statuses.update(result.status for _device, _target, result in judged(image))
        unknown += len(gaps(image))
        problems += len(image.problems)
    by: Counter[Severity] = Counter()
    excepted = baselined = 0
    for hit in found:
        by[hit.severity] += hit.shown.counts
        excepted += bool(hit.shown.exception)
        baselined += hit.shown.baselined
    return Tally(
        by[Severity.ERROR], by[Severity.WARNING], by[Severity.INFO], excepted, baselined, unknown,
        statuses[Status.PASS], statuses[Status.NOT_APPLICABLE], problems,
    )  # fmt: skip


def rules_by_id(report: Report) -> dict[str, RuleInfo]:
    """The rules of a run."""
    return {rule.id: rule for rule in report.rules}


def unread(image: ImageReport, *, strict: bool) -> bool:
    """Whether something about the image could not be evaluated and affects the exit code: see the table of exit codes."""
    results = [result for _device, _target, result in judged(image)]
    return bool(image.problems) or any(result.crashed or (strict and result.unknowns) for result in results)


def blocks(report: FindingReport, fail_on: Severity) -> bool:
    """Whether a finding makes the run fail."""
    return report.counts and report.finding.severity >= fail_on


def exit_code(report: Report) -> int:
    """The exit code of the run: 1 findings at or above the threshold, 3 something could not be evaluated, 4 nothing matched, 130
    interrupted, else 0.
    """
    if report.interrupted:
        return 130
    if any(blocks(found, report.fail_on) for image in report.images for _, _, result in judged(image) for found in result.findings):
        return 1
    if any(unread(image, strict=report.strict) for image in report.images):
        return 3
    return 0 if report.images else 4
