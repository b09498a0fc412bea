"""GitHub Actions: workflow commands that become annotations, and the job summary.

GitHub shows ten annotations per level and step and silently drops the rest. At most nine per level are therefore written, the worst
first, and a tenth says how many more there are. The summary has them all.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Severity
from v2vlint.model.place import Span, Where
from v2vlint.model.report import Fate, ImageReport, RecipeLine, Report
from v2vlint.report import words
from v2vlint.report.escape import visible
from v2vlint.report.formats import markdown, text
from v2vlint.report.walk import Hit, gaps, hits, logical_name, outside

MOST = 9
# GitHub takes 1 MiB for each step.
_SUMMARY_BYTES = 1_000_000
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


@dataclass(frozen=True, slots=True)
class Annotation:
    """One workflow command, before escaping. ``lines`` are the lines of its message."""

    level: str
    title: str
    lines: tuple[str, ...]
    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        place = {"file": self.file, "line": str(self.line or ""), "col": str(self.column or ""), "title": f"v2vlint: {self.title}"}
        properties = ",".join(f"{name}={_property(value)}" for name, value in place.items() if value)
        return f"::{self.level} {properties}::{'%0A'.join(_data(line) for line in self.lines if line)}"


def _data(line: str) -> str:
    """One line of a message: percent signs would be read as escapes, line ends would end the command."""
    return visible(line).replace("%", "%25")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")


def render(report: Report) -> str:
    """The report as text, between marks that keep the runner from parsing guest text as commands, then one command per annotation."""
    body = text.render(report)
    # Whatever the guest says, it cannot contain the digest of a text that contains it.
    token = f"v2vlint-{hashlib.sha256(body.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return f"::stop-commands::{token}\n{body.rstrip()}\n::{token}::\n{commands(report)}"


def commands(report: Report) -> str:
    """One workflow command per line."""
    by_level: defaultdict[str, list[Annotation]] = defaultdict(list)
    for one in _annotations(report):
        by_level[one.level].append(one)
    lines: list[str] = []
    for level in ("error", "warning", "notice"):
        wanted = by_level[level]
        lines.extend(str(one) for one in wanted[:MOST])
        if len(wanted) > MOST:
            lines.append(str(Annotation(level, "more", (f"and {len(wanted) - MOST} more like these: see the job summary",))))
    return "".join(f"{line}\n" for line in lines)


def _annotations(report: Report) -> Iterator[Annotation]:
    for image in report.images:
        if image.problems:
            lines = [f"{one.where}: {one.reason}" + (f" ({one.hint})" if one.hint else "") for one in image.problems]
            yield Annotation("error", "cannot be read in full", (image.name, *lines), *_place(image, None))
    yield from (_finding(hit) for hit in hits(report) if hit.shown.counts)
    for image in report.images:
        yield from _forecasts(image)
        for gap in gaps(image):
            level = "error" if gap.crashed or report.strict else "notice"
            lines = [f"could not tell: {gap.reason}", f"{gap.where} in {image.name}, for {', '.join(gap.targets)}"]
            yield Annotation(level, gap.rule, tuple(lines), *_place(image, gap.where))


def _finding(hit: Hit) -> Annotation:
    finding = hit.shown.finding
    fix = f"fix ({words.safety(finding.fix)}): {finding.fix.title}" if finding.fix else ""
    place = f"{finding.where} in {hit.image.name}, for {words.affected(hit)}"
    lines = (finding.message, finding.effect, place, fix)
    return Annotation(_LEVELS[hit.severity], hit.rule, lines, *_place(hit.image, finding.where, hit.shown.written))


def _forecasts(image: ImageReport) -> Iterator[Annotation]:
    """A notice for every guest that may not come up or be reached."""
    for root in image.roots:
        for target in root.targets:
            forecast = target.forecast
            if forecast and forecast.outcome in (Fate.FAIL, Fate.UNKNOWN):
                reason = forecast.decisive.reason if forecast.decisive else ""
                yield Annotation(
                    "notice", "forecast", (f"{image.name} {words.verdict(forecast, target.target)}", reason), *_place(image, None)
                )


def _place(image: ImageReport, where: Where | None, written: RecipeLine | None = None) -> tuple[str, int, int]:
    """File, line and column: of the recipe, else of the definition or of ``IMAGE/guest/path``."""
    if written:
        return written.path, written.line, 0
    if image.recipe:
        return image.recipe, 1, 0
    if outside(where):
        return outside(where), max(1, where.line) if isinstance(where, Span) else 1, where.column if isinstance(where, Span) else 0
    if isinstance(where, Span):
        return f"{logical_name(image)}{where.path}", max(1, where.line), where.column
    return f"{logical_name(image)}/{where or ''}".replace("//", "/").rstrip("/"), 1, 0


def summary(report: Report) -> str:
    """Markdown for ``$GITHUB_STEP_SUMMARY``: the whole report, or its overview if the report exceeds GitHub's size limit."""
    whole = markdown.render(report)
    if len(whole.encode()) <= _SUMMARY_BYTES:
        return whole
    return f"# v2vlint\n\n{markdown.overview(report, hits(report))}\n\nThe full report is too long for a job summary: write it to a file.\n"
