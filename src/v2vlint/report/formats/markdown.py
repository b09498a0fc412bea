"""Markdown (GitHub's flavour): a table of guests, then each guest with its forecast, findings, excerpts and diffs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from v2vlint.model.finding import Stage
from v2vlint.model.report import Fate, Forecast, ImageReport, Report, StageForecast
from v2vlint.report import advice, words
from v2vlint.report.escape import visible
from v2vlint.report.walk import Hit, Tally, gaps, hits, tally

# Markup, and what GitHub turns into something without markup: addresses (https://, www.), entities, emoji (:name:).
_SPECIAL = re.compile(
    r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=[#\w])|:(?=//|(?:[a-z_+-][\w+-]*|100|1234):)|(?<=\bwww)\.|^[#+-]|^\d+(?=[.)](?:\s|$))"
)
# GitHub makes mentions and links of @name, #1 and GH-1 in spite of a backslash; a comment inside breaks them up.
_REFERENCE = re.compile(r"(?<!\w)([@#])(?=\w)|(?<!\w)(GH-)(?=\d)")
_SIGNS = {Fate.PASS: "✓", Fate.FAIL: "✗", Fate.UNKNOWN: "?", Fate.SKIPPED: "–"}


def text(value: str) -> str:
    """Guest text as plain Markdown text on one line: no markup, no HTML, no links, no mentions."""
    escaped = _SPECIAL.sub(lambda match: f"\\{match[0]}" if not match[0].isdigit() else f"{match[0]}\\", visible(value))
    return _REFERENCE.sub(lambda match: f"{match[1] or match[2]}<!-- -->", escaped)


def code(value: str) -> str:
    """Guest text as a code span."""
    shown = visible(value) or " "
    ticks = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{ticks}{pad}{shown}{pad}{ticks}"


def block(lines: Iterable[str], language: str = "text") -> str:
    """Guest lines as a fenced block that they cannot close."""
    body = "\n".join(visible(line, keep="\t") for line in lines)
    fence = "`" * max(3, _longest_run(body) + 1)
    return f"{fence}{language}\n{body}\n{fence}"


def _longest_run(value: str) -> int:
    return max((len(run) for run in re.findall(r"`+", value)), default=0)


def render(report: Report) -> str:
    """The report as a Markdown document."""
    found = hits(report)
    parts = [f"# v2vlint: {words.counted(tally(report.images, found))}", _run_line(report), overview(report, found)]
    for image in report.images:
        parts.extend(_image(report, image, [hit for hit in found if hit.image is image]))
    return "\n\n".join(part for part in parts if part) + "\n"


def _run_line(report: Report) -> str:
    targets = ", ".join(code(name) for name in report.targets)
    return f"For {targets}, moved by {words.mover(report.mover)}. Fails on {report.fail_on.label}{', strict' if report.strict else ''}."


def overview(report: Report, found: Iterable[Hit]) -> str:
    """One row per guest: what it is, whether it boots and can be reached on each target, and the counts."""
    if not report.images:
        return "No image was checked."
    rows = [
        f"| guest | system | {' | '.join(text(name) for name in report.targets)} | result |",
        "|---|---|" + "---|" * (len(report.targets) + 1),
    ]
    for image in report.images:
        fates = [_boots(image, name) for name in report.targets]
        systems = "; ".join(text(words.system(root.os)) for root in image.roots) or "none found"
        counts = words.counted(tally((image,), [hit for hit in found if hit.image is image]))
        # A bar ends the cell of a table even in a code span (GFM, "Tables").
        name = code(image.name).replace("|", "\\|")
        rows.append(f"| {name} | {systems} | {' | '.join(fates)} | {counts} |")
    return "\n".join(rows)


def _boots(image: ImageReport, target: str) -> str:
    forecasts = [one.forecast for root in image.roots for one in root.targets if one.target == target and one.forecast]
    return "; ".join(f"{_SIGNS[forecast.outcome]} {words.verdict(forecast)}" for forecast in forecasts) or "–"


def _image(report: Report, image: ImageReport, found: list[Hit]) -> Iterator[str]:
    yield f"## {code(image.name)}"
    yield "\n".join(_glance(image))
    for root in image.roots:
        forecasts = {one.target: one.forecast for one in root.targets if one.forecast}
        if forecasts:
            yield "### Boot forecast" + (f" of {code(root.device)}" if len(image.roots) > 1 else "")
            yield _forecast(forecasts)
            yield "\n".join(f"- Way back on {text(name)}: {text(one.way_back)}" for name, one in forecasts.items() if one.way_back)
    counted = [hit for hit in found if hit.shown.counts]
    if counted:
        yield "### Findings"
        if repair := advice.repair(report, image):
            yield text(repair)
        for hit in counted:
            yield from _finding(hit)
    yield from _rest(image, [hit for hit in found if not hit.shown.counts], tally((image,), found))


def _glance(image: ImageReport) -> Iterator[str]:
    for root in image.roots:
        yield f"- **{text(words.system(root.os))}**"
        yield from (f"- {text(label)}: {text(value)}" for label, value in words.facts(root))
    yield f"- image: {text(image.format)}, {words.size(image.size)}"
    if image.recipe:
        yield f"- built from {code(image.recipe)}"


def _forecast(forecasts: dict[str, Forecast]) -> str:
    rows = [f"| stage | {' | '.join(text(name) for name in forecasts)} |", "|---|" + "---|" * len(forecasts)]
    stages = {name: {one.stage: one for one in forecast.stages} for name, forecast in forecasts.items()}
    for stage in Stage:
        cells = [_stage(one.get(stage)) for one in stages.values()]
        rows.append(f"| {stage.value} | {' | '.join(cells)} |")
    rows.append(f"| **outcome** | {' | '.join(f'**{words.verdict(one)}**' for one in forecasts.values())} |")
    return "\n".join(rows)


def _stage(stage: StageForecast | None) -> str:
    if stage is None:
        return _SIGNS[Fate.SKIPPED]
    strong = "**" if stage.fate is Fate.FAIL else ""
    return f"{_SIGNS[stage.fate]} {strong}{text(stage.reason)}{strong}"


def _finding(hit: Hit) -> Iterator[str]:
    finding = hit.shown.finding
    yield f"#### {hit.severity.label}: {text(finding.message)}"
    facts = [f"{code(hit.rule)} at {code(str(finding.where))}, for {text(words.affected(hit))}"]
    facts += [f"Effect: {text(finding.effect)}"] if finding.effect else []
    facts += [f"Written by {code(str(hit.shown.written))}"] if hit.shown.written else []
    facts += [f"See also {', '.join(code(str(place)) for place in finding.related)}"] if finding.related else []
    yield "\n".join(f"- {fact}" for fact in facts)
    if hit.shown.excerpt:
        yield block(words.marked(hit.shown))
    if finding.fix:
        yield f"Fix ({words.safety(finding.fix)}): {text(finding.fix.title)}"
        yield "\n".join(f"- {text(edit)}" for edit in words.unseen_edits(finding.fix))
    if hit.shown.diff:
        yield block(hit.shown.diff.splitlines(), "diff")


def _rest(image: ImageReport, quiet: list[Hit], counts: Tally) -> Iterator[str]:
    unsure = [f"- {code(gap.rule)} at {code(str(gap.where))}: {text(gap.reason)} ({text(', '.join(gap.targets))})" for gap in gaps(image)]
    hints = [(problem, f" ({text(problem.hint)})" if problem.hint else "") for problem in image.problems]
    unsure += [f"- {code(problem.where)}: {text(problem.reason)}{hint}" for problem, hint in hints]
    if unsure:
        yield "### Not checked"
        yield "\n".join(unsure)
    if image.proofs:
        yield "### Proofs"
        yield "\n".join(f"- {text(words.proven(proof))}" for proof in image.proofs)
    if image.files:
        yield "### Files opened"
        yield "\n".join(f"- {text(words.opened(file))}" for file in image.files)
    if quiet:
        yield "### Accepted"
        yield "\n".join(f"- {code(hit.rule)}: {text(hit.shown.finding.message)}: {_why(hit)}" for hit in quiet)
    yield f"{words.count(counts.passed, 'check')} passed, {counts.not_applicable} did not apply."


def _why(hit: Hit) -> str:
    return f"excepted: {text(hit.shown.exception)}" if hit.shown.exception else "in the baseline"
