"""HTML: one self-contained page with an overview of the guests, the forecasts, and the findings, filterable in the browser.

The page loads nothing, and its content security policy forbids it to: style and script are allowed by their hash, so that a guest
that managed to inject markup would still not run code.
"""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.model.report import Fate, ImageReport, Report
from v2vlint.report import advice, words
from v2vlint.report.html_findings import finding, kind_of, not_checked, rule_page
from v2vlint.report.html_guest import at_a_glance, chip, forecast_card
from v2vlint.report.markup import Safe, join, tag
from v2vlint.report.page import asset, head
from v2vlint.report.walk import Hit, Tally, blocks, gaps, hits, judged, rules_by_id, tally

_KINDS = (("error", "errors"), ("warning", "warnings"), ("info", "info"), ("unknown", "not checked"), ("accepted", "accepted"))
_ICONS = {
    "pass": "M5 12.5l4.5 4.5L19 7.5",
    "fail": "M7 7l10 10M17 7L7 17",
    "unknown": "M9 9.2a3 3 0 1 1 4.4 2.6c-1 .6-1.4 1.1-1.4 2.2M12 17.6v.2",
    "skipped": "M7 12h10",
}


def render(report: Report) -> str:
    """The report as an HTML document."""
    style, script = asset("report.css"), asset("report.js")
    found = hits(report)
    title = f"{_headline(report)} · v2vlint"
    body = tag(
        "body",
        _sprite(),
        _header(report, found),
        _filter(report, found),
        _main(report, found),
        _footer(report),
        tag("script", Safe(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head(title, style, script), body, lang='en')}\n"


def _sprite() -> Safe:
    symbols = [tag("symbol", tag("path", d=path), id=f"i-{name}", viewBox="0 0 24 24") for name, path in _ICONS.items()]
    return tag("svg", symbols, class_="sprite", aria_hidden="true")


def _headline(report: Report) -> str:
    if not report.images:
        return "No image was checked"
    failing = sum(
        _stuck(image) or any(blocks(found, report.fail_on) for _, _, one in judged(image) for found in one.findings)
        for image in report.images
    )
    unsure = sum(bool(gaps(image) or image.problems) for image in report.images)
    everyone = words.count(len(report.images), "guest")
    verdict = f"{failing} of {everyone} not ready to move" if failing else f"Nothing in the way of {everyone}"
    return f"{verdict}, {unsure} not fully checked" if unsure else verdict


def _stuck(image: ImageReport) -> bool:
    return any(one.forecast is not None and one.forecast.outcome is Fate.FAIL for root in image.roots for one in root.targets)


def _header(report: Report, found: tuple[Hit, ...]) -> Safe:
    counts = tally(report.images, found)
    targets = join((chip(name), " ") for name in report.targets)
    about = tag("p", "for ", targets, f"moved by {words.mover(report.mover)}", f" · fails on {report.fail_on.label}", class_="about")
    tiles = tag(
        "ul",
        [tag("li", tag("b", str(number)), " ", label, class_=f"tile {kind}") for kind, label, number in _tiles(counts)],
        class_="tiles",
    )
    table = tag("div", _matrix(report, found), class_="scroll") if len(report.images) > 1 else None
    return tag("header", tag("p", "v2vlint", class_="brand"), tag("h1", _headline(report)), about, tiles, table)


def _tiles(counts: Tally) -> Iterable[tuple[str, str, int]]:
    yield "error", "errors" if counts.errors != 1 else "error", counts.errors
    yield "warning", "warnings" if counts.warnings != 1 else "warning", counts.warnings
    yield "info", "info", counts.infos
    yield "unknown", "not checked", counts.unknown + counts.problems
    yield "pass", "passed", counts.passed


def _matrix(report: Report, found: tuple[Hit, ...]) -> Safe:
    """The matrix of guests and targets, with the forecast of each pair."""
    head = tag("tr", [tag("th", title, scope="col") for title in ("guest", "system", *report.targets, "findings")])
    rows = []
    for number, image in enumerate(report.images, 1):
        cells = [tag("th", tag("a", image.name, href=f"#guest-{number}"), scope="row")]
        cells.append(tag("td", [tag("div", words.system(root.os)) for root in image.roots] or "none found"))
        for name in report.targets:
            fates = [one.forecast for root in image.roots for one in root.targets if one.target == name and one.forecast]
            chips = [tag("div", chip(words.stop(fate), fate.outcome.value)) for fate in fates]
            cells.append(tag("td", chips or "–", data_target=name))
        counts = words.counted(tally((image,), [hit for hit in found if hit.image is image]))
        rows.append(tag("tr", cells, tag("td", counts)))
    return tag("table", tag("thead", head), tag("tbody", rows), class_="matrix")


def _filter(report: Report, found: tuple[Hit, ...]) -> Safe:
    """The filter bar. The script shows it, so that it is absent without scripts."""
    numbers = dict.fromkeys((kind for kind, _ in _KINDS), 0)
    for hit in found:
        numbers[kind_of(hit)] += 1
    numbers["unknown"] = sum(len(gaps(image)) + len(image.problems) for image in report.images)
    boxes = [
        tag(
            "label",
            tag("input", type="checkbox", name="kind", value=kind, checked=True),
            tag("span", label, " ", tag("b", str(numbers[kind]))),
            class_=f"pill {kind}",
        )
        for kind, label in _KINDS
        if numbers[kind]
    ]
    options = [
        tag("option", "every target", value=""),
        *(tag("option", name, value=str(number)) for number, name in enumerate(report.targets)),
    ]
    select = tag("select", options, id="target", aria_label="target") if len(report.targets) > 1 else None
    field = tag(
        "input", type="search", id="search", placeholder="Filter by text, path or rule", aria_label="filter by text", autocomplete="off"
    )
    button = tag("button", "Reset", type="button", id="reset")
    return tag("form", field, tag("div", boxes, class_="pills"), select, button, tag("output", id="shown"), id="filter", hidden=True)


def _main(report: Report, found: tuple[Hit, ...]) -> Safe:
    guests = [_guest(report, number, [hit for hit in found if hit.image is image]) for number, image in enumerate(report.images, 1)]
    nothing = tag("p", "Nothing matches the filter.", id="nothing", hidden=True)
    used = {hit.rule for hit in found} | {gap.rule for image in report.images for gap in gaps(image)}
    pages = [rule_page(rule) for rule in report.rules if rule.id in used]
    if report.not_judged:
        nothing = join(nothing, _not_judged(report))
    rules = tag("section", tag("h2", "The rules behind the findings"), pages, class_="rules") if pages else None
    return tag("main", guests, nothing, rules)


def _not_judged(report: Report) -> Safe:
    """Names that were seen but not judged."""
    lines = [tag("li", tag("code", one.path), f": {one.reason}") for one in report.not_judged]
    return tag("details", tag("summary", f"Seen and not judged ({len(lines)})"), tag("ul", lines), class_="quiet")


def _guest(report: Report, number: int, found: list[Hit]) -> Safe:
    image = report.images[number - 1]
    index = {name: str(position) for position, name in enumerate(report.targets)}
    known = frozenset(rules_by_id(report))
    forecasts = [
        forecast_card(one.target, one.forecast, index.get(one.target, ""), root.device if len(image.roots) > 1 else "", known)
        for root in image.roots
        for one in root.targets
        if one.forecast
    ]
    counted = [finding(hit, index, known) for hit in found if hit.shown.counts]
    accepted = [finding(hit, index, known) for hit in found if not hit.shown.counts]
    return tag(
        "section",
        at_a_glance(image, advice.repair(report, image)),
        tag("div", tag("h3", "Boot forecast"), forecasts) if forecasts else None,
        tag("div", tag("h3", "Findings"), counted, data_section=True) if counted else None,
        not_checked(image, index, known),
        tag("details", tag("summary", f"Accepted ({len(accepted)})"), accepted, data_section=True) if accepted else None,
        _quiet(report, number),
        class_="guest",
        id=f"guest-{number}",
    )


def _quiet(report: Report, number: int) -> Safe | None:
    """The checks that passed or did not apply, by rule."""
    lines = []
    for status, label in (("pass", "passed"), ("not_applicable", "did not apply")):
        rules = dict.fromkeys(
            (result.rule, f"{result.rule}: {result.reason}" if result.reason else result.rule)
            for _device, _target, result in judged(report.images[number - 1])
            if result.status.value == status
        )
        if rules:
            lines.append(
                tag("p", tag("b", f"{len(rules)} {label}: "), [join(tag("code", rule, title=title), " ") for rule, title in rules])
            )
    return tag("details", tag("summary", "Passed and not applicable"), lines, class_="quiet") if lines else None


def _footer(report: Report) -> Safe:
    seconds = f" in {report.seconds:.1f} s" if report.seconds else ""
    return tag("footer", tag("p", f"v2vlint {report.version} · {words.count(len(report.rules), 'rule')}{seconds}"))
