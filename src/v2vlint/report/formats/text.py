"""The text report: what the machine is, whether it will boot, what is wrong and how to fix it. The same rows on a terminal and in a
pipe.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Severity
from v2vlint.model.fix import Applicability
from v2vlint.model.place import Span
from v2vlint.model.report import Fate, Forecast, ImageReport, Problem, Report, RootReport, TargetReport
from v2vlint.report import advice, fold, words
from v2vlint.report.escape import visible
from v2vlint.report.layout import Row, Styled, flow, paragraph, plain
from v2vlint.report.walk import Gap, Hit, gaps, hits, tally

WIDTH = 80
MAX_CHANGED = 24
FOLDED_CHANGED = 10
MAX_CODE = 200
MAX_NAMES = 3
MAX_REASONS = 20
SEVERAL = 3
"""Guests from which on they are counted by their standing."""
_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_FATE_STYLE = {Fate.PASS: "ok", Fate.FAIL: "error", Fate.UNKNOWN: "unknown", Fate.SKIPPED: "dim"}


@dataclass(frozen=True, slots=True)
class Look:
    """How rows are drawn: the width, the characters for lines, fates and arrows, and whether ``whole`` or shortened."""

    width: int = WIDTH
    line: str = "─"
    arrow: str = "→"
    bar: str = "│"
    dot: str = "·"
    fates: tuple[str, str, str, str] = ("✓", "✗", "?", "·")
    whole: bool = True

    @property
    def indent(self) -> int:
        """The indentation of a finding's details."""
        return 11 if self.width >= 60 else 4

    def fate(self, fate: Fate) -> str:
        """The mark of a fate."""
        return dict(zip(Fate, self.fates, strict=True))[fate]


ASCII = Look(line="-", arrow="->", bar="|", dot="-", fates=("+", "x", "?", "."))


def render(report: Report) -> str:
    """The report as plain text, 80 columns wide."""
    return plain(rows(report))


def rows(report: Report, look: Look = Look()) -> list[Row]:
    """The whole report."""
    made: list[Row] = []
    found = hits(report)
    for image in report.images:
        made += _image(report, image, [hit for hit in found if hit.image is image], look)
    made += _summary(report, found, look)
    return made


def brief(report: Report) -> list[Row]:
    """One row per finding and unchecked item, and nothing else: for ``--quiet`` and for grep."""
    made: list[Row] = [
        (
            Styled(f"{visible(hit.image.name)}: "),
            Styled(hit.severity.label, hit.severity.label),
            Styled(f" {hit.rule} "),
            Styled(visible(f"{hit.shown.finding.where}: {hit.shown.finding.message}")),
        )
        for hit in hits(report)
        if hit.shown.counts
    ]
    made += [row for image in report.images for row in _brief_gaps(image)]
    return made


def _brief_gaps(image: ImageReport) -> Iterator[Row]:
    about = [_about(image, problem) for problem in image.problems]
    about += [f"{gap.rule} {gap.where}: {gap.reason}" for gap in gaps(image)]
    for text in about:
        yield (Styled(f"{visible(image.name)}: "), Styled("not checked", "unknown"), Styled(f" {visible(text)}"))


def _about(image: ImageReport, problem: Problem) -> str:
    """A problem's place and reason, without the image's name, which precedes them."""
    reason = problem.reason.removeprefix(f"{image.name}: ")
    return reason if problem.where == image.name else f"{problem.where}: {reason}"


def _image(report: Report, image: ImageReport, found: list[Hit], look: Look) -> Iterator[Row]:
    name = visible(image.name)
    yield (Styled(look.line * 2 + " ", "dim"), Styled(name, "title"), Styled(" " + look.line * max(2, look.width - len(name) - 4), "dim"))
    counting = [hit for hit in found if hit.shown.counts]
    yield from _top(report, image, counting, look)
    for root in image.roots:
        yield from _root(image, root, look)
    yield ()
    yield from _findings(counting, look)
    yield from _covered(found, look)
    yield from _gaps(image, look)
    for problem in image.problems:
        yield from _problem(image, problem, look)
    if len(image.files) > 1 or any(file.before for file in image.files):
        for file in image.files:
            yield from paragraph(visible(f"read {words.opened(file)}"), look.width, 3, "dim")


def _top(report: Report, image: ImageReport, counting: list[Hit], look: Look) -> Iterator[Row]:
    """Three lines for readers who stop there: whether it boots, what to do, how."""
    for root in image.roots:
        start = f"{visible(root.device)}, " if len(image.roots) > 1 else ""
        for target in root.targets:
            if target.forecast:
                yield from _verdict(target, target.forecast, look, start)
    for proof in image.proofs:
        yield from paragraph(visible(words.proven(proof)), look.width, 3, lead=Styled("proof: ", "title"))
    yield from paragraph(advice.to_do(image, counting), look.width, 3, lead=Styled("do:  ", "title"))
    if text := advice.how(report, image, counting):
        yield from paragraph(text, look.width, 3, lead=Styled("how: ", "title"))
    if image.roots:
        yield ()


def _verdict(target: TargetReport, forecast: Forecast, look: Look, start: str = "") -> Iterator[Row]:
    lead = Styled(f"{start}{visible(target.target)}, {words.mover(target.mover)}: ", "title")
    return paragraph(words.verdict(forecast), look.width, 3, _FATE_STYLE[forecast.outcome], lead)


def _findings(counting: list[Hit], look: Look) -> Iterator[Row]:
    shown, rest = (counting, []) if look.whole else fold.fold(counting)
    for hit in shown:
        yield from _hit(hit, look)
    if rest:
        yield from paragraph(f"{fold.counted(rest)} (--all shows them)", look.width, 2, "dim")
        yield ()


def _gaps(image: ImageReport, look: Look) -> Iterator[Row]:
    found = _alike(gaps(image))
    shown = found if look.whole else found[: fold.MAX_GAPS]
    for alike in shown:
        yield from _gap(alike, look)
    if rest := [gap for alike in found[len(shown) :] for gap in alike]:
        rules = ", ".join(dict.fromkeys(gap.rule for gap in rest))
        yield from paragraph(f"{len(rest)} more unknown: {rules} (--all shows them)", look.width, 2, "dim")
        yield ()


def _kernel(facts: dict[str, str]) -> str:
    loader, kernel = facts.get("loader", ""), facts.get("kernel", "")
    return f"{loader}, kernel {kernel}" if loader and kernel else loader or (f"kernel {kernel}" if kernel else "")


def _root(image: ImageReport, root: RootReport, look: Look) -> Iterator[Row]:
    facts = dict(root.glance)
    about = [words.system(root.os), facts.get("firmware", ""), facts.get("root", ""), _kernel(facts)]
    about.append(f"{image.format} {words.size(image.size)}" if image.format else "")
    if len(image.roots) > 1:
        about.insert(0, root.device)
    text = f" {look.dot} ".join(visible(part) for part in about if part)
    yield from paragraph(text, look.width, 3, "dim")
    several = sum(len(one.targets) for one in image.roots) > 1
    for target in root.targets:
        if target.forecast:
            if several:
                yield ()
                yield from _verdict(target, target.forecast, look)
            yield from _stages(target.forecast, look)
        if target.command:
            yield from paragraph(visible(target.command), look.width, 5, "dim", Styled("command: ", "dim"))


def forecast_rows(target: TargetReport, forecast: Forecast, look: Look) -> Iterator[Row]:
    """A forecast: the verdict, the stages, and the reasons of those that do not pass."""
    yield from _verdict(target, forecast, look)
    yield from _stages(forecast, look)


def _stages(forecast: Forecast, look: Look) -> Iterator[Row]:
    marks = [Styled(f"{look.fate(stage.fate)} {stage.stage.value}", _FATE_STYLE[stage.fate]) for stage in forecast.stages]
    yield from flow(marks, look.width, 5)
    told: dict[str, str] = {}
    for stage in forecast.stages:
        if stage.fate in (Fate.FAIL, Fate.UNKNOWN):
            first = told.setdefault(stage.reason, stage.stage.value)
            text = stage.reason + (f" ({stage.rule})" if stage.rule else "") if first == stage.stage.value else f"the same as {first}"
            lead = Styled(f"{look.fate(stage.fate)} {stage.stage.value:<9} ", _FATE_STYLE[stage.fate])
            yield from paragraph(text, look.width, 5, lead=lead)
    if forecast.way_back:
        yield from paragraph(forecast.way_back, look.width, 5, "dim", Styled("way back: ", "dim"))


def _hit(hit: Hit, look: Look) -> Iterator[Row]:
    finding = hit.shown.finding
    yield from _head(hit.severity.label, hit.severity.label, hit.rule, str(finding.where), look)
    yield from paragraph(finding.message, look.width, look.indent, "title")
    if finding.effect:
        yield from paragraph(finding.effect, look.width, look.indent, "", Styled(f"{look.arrow} ", hit.severity.label))
    if hit.shown.written:
        yield from paragraph(f"written by {hit.shown.written}", look.width, look.indent, "place")
    if len(hit.targets) > 1 or len({target.target for _device, target in hit.image.judged()}) > 1:
        yield from paragraph(f"on {words.affected(hit)}", look.width, look.indent, "dim")
    changes = list(_changes(hit, look))
    yield from changes or _excerpt(hit, look)
    yield from _fix(hit, look)
    yield ()


def _head(word: str, style: str, rule: str, where: str, look: Look) -> Iterator[Row]:
    """The first row of a finding; its place gets a row of its own if both do not fit."""
    start, place = (Styled("  "), Styled(f"{word:<8} ", style), Styled(visible(rule), "rule")), Styled(visible(where), "place")
    if sum(len(piece.text) for piece in (*start, place)) + 2 <= look.width:
        yield (*start, Styled("  "), place)
    else:
        yield start
        yield (Styled(" " * look.indent), place)


def _fix(hit: Hit, look: Look) -> Iterator[Row]:
    fix = hit.shown.finding.fix
    if fix is None:
        return
    yield from paragraph(fix.title, look.width, look.indent, "", Styled(f"fix ({words.safety(fix)}): ", "ok"))
    for edit in words.unseen_edits(fix):
        yield from paragraph(edit, look.width, look.indent + 2, "add", Styled("+ ", "add"))


def _excerpt(hit: Hit, look: Look) -> Iterator[Row]:
    shown, start = hit.shown.excerpt, " " * look.indent
    if shown is None:
        return
    where = hit.shown.finding.where
    for number, line in enumerate(shown.lines, shown.first):
        here = isinstance(where, Span) and number == where.line
        mark = ">" if here else " "
        yield (
            Styled(start),
            Styled(f"{mark} {number:>3} {look.bar} ", hit.severity.label if here else "dim"),
            _code(line, "" if here else "dim"),
        )


def _code(line: str, style: str) -> Styled:
    text = visible(line.expandtabs(4))
    return Styled(text if len(text) <= MAX_CODE else text[: MAX_CODE - 3] + "...", style)


def _changes(hit: Hit, look: Look) -> Iterator[Row]:
    """The diff of the fix, one line of context around each change, with line numbers."""
    lines = list(_numbered(hit.shown.diff))
    near = {place + step for place, (kind, _n, _t) in enumerate(lines) if kind in "+-" for step in (-1, 0, 1)}
    shown = [line for place, line in enumerate(lines) if place in near or line[0] == "@"]
    here = hit.shown.finding.where
    most = MAX_CHANGED if look.whole else FOLDED_CHANGED
    for kind, number, text in shown[:most]:
        start = Styled(" " * look.indent)
        if kind == "@":
            if not (isinstance(here, Span) and here.path == text):
                yield (start, Styled(visible(text), "place"))
            continue
        style = {"+": "add", "-": "del"}.get(kind, "dim")
        yield (start, Styled(f"{kind} {number:>3} {look.bar} ", style), _code(text, style))
    if len(shown) > most:
        yield (Styled(" " * look.indent), Styled(words.count(len(shown) - most, "more line"), "dim"))


def _numbered(diff: str) -> Iterator[tuple[str, int, str]]:
    """Lines of a unified diff as (kind, line number, text); kind ``@`` names the file that follows."""
    old = new = old_end = new_end = 0
    for line in diff.split("\n"):
        # Counted by the head of the hunk: a removed line may itself look like "--- a" or "@@".
        inside = old < old_end or new < new_end
        if match := _HUNK.match(line) if not inside else None:
            old, new = int(match[1]), int(match[3])
            old_end, new_end = old + int(match[2] or 1), new + int(match[4] or 1)
        elif inside and line[:1] in ("+", "-", " "):
            yield line[0], new if line[0] == "+" else old, line[1:]
            old, new = old + (line[0] != "+"), new + (line[0] != "-")
        elif line.startswith("+++ "):
            yield "@", 0, line[5:] if line.startswith("+++ b") else "removed"


def _covered(found: list[Hit], look: Look) -> Iterator[Row]:
    excepted = [hit for hit in found if hit.shown.exception]
    for hit in excepted:
        yield from _head("excepted", "dim", hit.rule, str(hit.shown.finding.where), look)
        yield from paragraph(hit.shown.exception, look.width, look.indent, "dim")
        yield ()
    known = sum(hit.shown.baselined and not hit.shown.exception for hit in found)
    if known:
        yield (Styled("  "), Styled(f"{words.count(known, 'finding')} known from the baseline", "dim"))
        yield ()


def _alike(found: Iterable[Gap]) -> list[list[Gap]]:
    """Gaps with the same place and reason grouped, in the order of the first of each."""
    groups: dict[tuple[str, str, str], list[Gap]] = {}
    for gap in found:
        groups.setdefault((gap.device, str(gap.where), gap.reason), []).append(gap)
    return list(groups.values())


def _gap(alike: list[Gap], look: Look) -> Iterator[Row]:
    """Everything that one reason keeps from being determined, with all the rules concerned."""
    gap, names = alike[0], list(dict.fromkeys(gap.rule for gap in alike))
    yield from _head("unknown", "unknown", gap.rule if len(names) == 1 else words.count(len(names), "rule"), str(gap.where), look)
    yield from paragraph(gap.reason, look.width, look.indent)
    if len(names) > 1:
        yield from paragraph(", ".join(names), look.width, look.indent, "dim")
    yield ()


def _problem(image: ImageReport, problem: Problem, look: Look) -> Iterator[Row]:
    where = "" if problem.where == image.name else problem.where
    yield from _head("unknown", "unknown", "not checked", where, look)
    yield from paragraph(problem.reason.removeprefix(f"{image.name}: "), look.width, look.indent)
    if problem.hint:
        yield from paragraph(problem.hint, look.width, look.indent, "dim", Styled(f"{look.arrow} ", "dim"))
    yield ()


def _not_judged(report: Report, look: Look) -> Iterator[Row]:
    """Names that were seen but not judged, by reason; of many with the same reason the first few."""
    reasons: dict[str, list[str]] = {}
    for one in report.not_judged:
        reasons.setdefault(one.reason, []).append(one.path)
    if reasons:
        yield (Styled(f"{words.count(len(report.not_judged), 'name')} seen and not judged:"),)
    for reason, paths in list(reasons.items())[:MAX_REASONS]:
        more = f" and {len(paths) - MAX_NAMES} more" if len(paths) > MAX_NAMES else ""
        yield from paragraph(f"{', '.join(paths[:MAX_NAMES])}{more}: {reason}", look.width, 2, "dim")
    if len(reasons) > MAX_REASONS:
        yield from paragraph(f"{len(reasons) - MAX_REASONS} more reasons; --report json=FILE has all", look.width, 2, "dim")


def _standings(report: Report, look: Look) -> Iterator[Row]:
    """How many of several guests are how far, for each target."""
    if len(report.images) < SEVERAL:
        return
    # Most runs are about one guest.
    from v2vlint.report.standing import Standing, place_of

    for target in report.targets:
        numbers = Counter(place_of(image, target).standing for image in report.images)
        told = ", ".join(f"{numbers[one]} {one.label}" for one in Standing if numbers[one])
        yield from paragraph(f"{target}: {told}", look.width, 0)


def _summary(report: Report, found: tuple[Hit, ...], look: Look) -> Iterator[Row]:
    numbers = tally(report.images, found)
    counting = [hit for hit in found if hit.shown.counts]
    worst = max((hit.severity for hit in counting), default=None)
    style = {Severity.ERROR: "error", Severity.WARNING: "warning"}.get(worst, "ok") if worst else "ok"
    rest = f"{numbers.passed} passed, {numbers.not_applicable} not applicable"
    parts = (words.count(len(report.images), "image"), words.counted(numbers), rest, f"{report.seconds:.1f} s")
    pieces = [Styled(line, style if part is parts[1] else "") for part in parts for line in textwrap.wrap(part, look.width)]
    yield from flow(pieces, look.width, 0, f" {look.dot} ")
    yield from _standings(report, look)
    yield from _not_judged(report, look)
    fixes = [hit.shown.finding.fix for hit in counting if not hit.image.unwritable]
    safe = sum(fix is not None and fix.applicability is Applicability.SAFE for fix in fixes)
    if safe:
        yield from paragraph(f"{safe} can be repaired safely, and undone: v2vlint --fix IMAGE", look.width, 0, "dim")
    if counting:
        yield from paragraph(f"'v2vlint explain {counting[0].rule}' describes a rule", look.width, 0, "dim")
