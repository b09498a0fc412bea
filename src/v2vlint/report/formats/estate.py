"""The page for whoever plans a migration: an estate's totals, waves and guests, each one click from its findings. One self-contained file.

The guests are rows of the document, so that the page can be printed and read without scripts; their findings are data that the script shows
on demand, as text and never as markup.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from v2vlint.model.finding import Severity
from v2vlint.model.fix import Applicability
from v2vlint.model.report import Report
from v2vlint.report import words
from v2vlint.report.escape import visible
from v2vlint.report.markup import Safe, join, tag
from v2vlint.report.page import asset, head
from v2vlint.report.rollup import WAVES, GuestRow, roll_up, wave
from v2vlint.report.standing import Standing
from v2vlint.report.walk import Hit

MAX_LISTED = 12
MAX_TEXT = 300
_FIXES = {Applicability.SAFE: "safe", Applicability.UNSAFE: "unsafe", Applicability.MANUAL: "by hand"}
_COLUMNS = (
    ("guest", "name"), ("system", "system"), ("source", "source"), ("verdict", "verdict"), ("wave", "wave"), ("why", "why"),
    ("safe", "safe"), ("unsafe", "unsafe"), ("by hand", "hand"), ("data", "data"), ("copy", "copy"),
)  # fmt: skip


def render(report: Report) -> str:
    """The roll-up as an HTML document."""
    style, script = asset("report.css") + asset("estate.css"), asset("estate.js")
    rows = roll_up(report)
    title = f"{words.count(len(rows), 'guest')} · v2vlint"
    body = tag(
        "body",
        _header(report, rows),
        tag("main", _overview(report, rows), _waves(report, rows), _guests(report, rows), _rest(report)),
        tag("footer", tag("p", f"v2vlint {report.version}. Copying: the files over 1 Gbit/s, the least downtime of a cold migration.")),
        tag("script", Safe(_data(report, rows)), type="application/json", id="data"),
        tag("script", Safe(script)),
    )
    return f"<!DOCTYPE html>\n{tag('html', head(title, style, script), body, lang='en')}\n"


def _header(report: Report, rows: Sequence[GuestRow]) -> Safe:
    data = f"{words.size(sum(row.stored for row in rows))} of files, {words.size(sum(row.virtual for row in rows))} of disks"
    about = f"{data} · moved by {words.mover(report.mover)}" + (" · the run was interrupted" if report.interrupted else "")
    return tag("header", tag("p", "v2vlint", class_="brand"), tag("h1", words.count(len(rows), "guest")), tag("p", about, class_="about"))


def _overview(report: Report, rows: Sequence[GuestRow]) -> Safe:
    """Standing by target, and the guests by rule, system, source and kind of fix."""
    head = tag("tr", tag("th", "target", scope="col"), [tag("th", one.label, scope="col") for one in Standing])
    lines = []
    for at, name in enumerate(report.targets):
        counts = Counter(row.places[at].standing for row in rows)
        cells = [
            tag("td", tag("button", str(counts[one]), type="button", class_=f"tile {one}", data_target=str(at), data_verdict=one.value))
            for one in Standing
        ]
        lines.append(tag("tr", tag("th", name, scope="row"), cells))
    table = tag("div", tag("table", tag("thead", head), tag("tbody", lines), class_="standing"), class_="scroll")
    return tag("section", tag("h2", "Ready or not"), table, tag("div", list(_lists(rows)), class_="lists"))


def _lists(rows: Sequence[GuestRow]) -> Iterable[Safe]:
    counting = [(row, hit) for row in rows for hit in row.hits if hit.shown.counts]
    by_rule = Counter(rule for rule, _row in {(hit.rule, id(row)) for row, hit in counting})
    by_fix = Counter(_fix(hit) for _row, hit in counting if _fix(hit))
    yield _list("Guests by rule", by_rule, "rule")
    yield _list("Guests by system", Counter(row.system for row in rows), "system")
    yield _list("Guests by source", Counter(row.source for row in rows), "source")
    yield _list("Findings by kind of fix", by_fix, "")


def _list(title: str, counts: Counter[str], key: str) -> Safe:
    """The most frequent values, each a filter for the table below."""
    largest = max(counts.values(), default=1)
    lines = []
    for name, number in counts.most_common(MAX_LISTED):
        bar = tag("svg", tag("rect", width=str(round(100 * number / largest, 1)), height="10"), viewBox="0 0 100 10", class_="bar",
                  preserveAspectRatio="none", aria_hidden="true")  # fmt: skip
        label = tag("button", name, type="button", data_search=f"{key}:{name}") if key else tag("span", name)
        lines.append(tag("li", label, bar, tag("b", str(number))))
    more = len(counts) - MAX_LISTED
    rest = tag("p", f"and {more} more", class_="about") if more > 0 else None
    return tag("section", tag("h3", title), tag("ol", lines) if lines else tag("p", "none"), rest)


def _fix(hit: Hit) -> str:
    fix = hit.shown.finding.fix
    return _FIXES[fix.applicability] if fix else ""


def _waves(report: Report, rows: Sequence[GuestRow]) -> Safe:
    """Which guests move in which wave, for each target."""
    lines = []
    for at, name in enumerate(report.targets):
        for standing, (number, meaning) in WAVES.items():
            mine = [row for row in rows if row.places[at].standing is standing]
            if mine:
                copying = _hours(sum(row.minutes for row in mine))
                cells = (str(number), name, str(len(mine)), meaning, words.size(sum(row.stored for row in mine)), copying)
                lines.append(tag("tr", [tag("td", cell) for cell in cells], class_=f"is-{standing}"))
    head = tag("tr", [tag("th", title, scope="col") for title in ("wave", "target", "guests", "how", "data", "copying")])
    return tag("section", tag("h2", "Waves"), tag("div", tag("table", tag("thead", head), tag("tbody", lines)), class_="scroll"))


def _hours(minutes: float) -> str:
    return f"{minutes / 60:.1f} h" if minutes >= 90 else f"{minutes:.0f} min" if minutes >= 1 else f"{60 * minutes:.0f} s"


def _guests(report: Report, rows: Sequence[GuestRow]) -> Safe:
    options = [tag("option", name, value=str(at)) for at, name in enumerate(report.targets)]
    verdicts = [tag("option", "every verdict", value=""), *(tag("option", one.label, value=one.value) for one in Standing)]
    controls = tag(
        "form",
        tag("input", type="search", id="search", placeholder="Search guests, systems, rules, reasons", aria_label="search"),
        tag("select", options, id="target", aria_label="target"),
        tag("select", verdicts, id="verdict", aria_label="verdict"),
        tag("button", "Reset", type="button", id="reset"),
        tag("output", id="shown"),
        id="filter",
        hidden=True,
    )
    head = tag("tr", [tag("th", title, scope="col", data_key=key) for title, key in _COLUMNS])
    lines = [_guest(at, row) for at, row in enumerate(rows)]
    table = tag("table", tag("thead", head), tag("tbody", lines), id="guests", class_="guests")
    nothing = tag("p", "No guest fits.", id="nothing", hidden=True)
    return tag("section", tag("h2", "Guests"), controls, tag("div", table, class_="scroll"), nothing)


def _guest(at: int, row: GuestRow) -> Safe:
    place = row.places[0]
    name = tag("a", row.image.name, href=f"#g{at}")
    inventory = tag("small", row.image.origin.name) if row.image.origin.name and row.image.origin.name not in row.image.name else None
    cells = (
        join(name, inventory), row.system, row.source, tag("span", place.standing.label, class_=f"chip {place.standing}"), str(wave(place)),
        _cut(place.reason), str(place.safe), str(place.unsafe), str(place.manual), words.size(row.stored), _hours(row.minutes),
    )  # fmt: skip
    shown = [tag("td", cell, data_label=title) for (title, _key), cell in zip(_COLUMNS, cells, strict=True)]
    return tag("tr", shown, id=f"g{at}", data_at=str(at))


def _cut(text: str) -> str:
    shown = visible(text)
    return shown if len(shown) <= MAX_TEXT else f"{shown[:MAX_TEXT]}…"


def _rest(report: Report) -> Safe | None:
    """What was found and is not a guest."""
    if not report.not_judged:
        return None
    lines = [tag("li", tag("code", one.path), f": {one.reason}") for one in report.not_judged]
    return tag("details", tag("summary", f"Seen and not judged ({len(lines)})"), tag("ul", lines))


def _data(report: Report, rows: Sequence[GuestRow]) -> str:
    """The data that the script shows and sorts by. ``<`` is escaped, so that no text ends the element."""
    used = dict.fromkeys(name for row in rows for name in (*(hit.rule for hit in row.hits), *(gap.rule for gap in row.gaps)))
    rules = {name: at for at, name in enumerate(used)}
    texts = _Texts()
    data = {
        "targets": report.targets,
        "labels": {one.value: one.label for one in Standing},
        "rules": list(used),
        "guests": [_one(row, rules, report.targets, texts) for row in rows],
        "texts": list(texts),
    }
    text = json.dumps(data, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\x7f", "\\u007f")


class _Texts(dict[str, int]):
    """The number of each text: most are said of many guests."""

    def __missing__(self, text: str) -> int:
        self[text] = len(self)
        return self[text]

    def cut(self, text: str) -> int:
        """The number of the text as it is shown."""
        return self[_cut(text)]


def _one(row: GuestRow, rules: dict[str, int], targets: tuple[str, ...], texts: _Texts) -> list[Any]:
    """One guest: places, findings, what could not be determined, and the numbers to sort by. Texts are given by number."""
    numbers = {name: at for at, name in enumerate(targets)}
    places = [[one.standing.value, wave(one), texts.cut(one.reason), one.safe, one.unsafe, one.manual] for one in row.places]
    found = [_finding(hit, rules, numbers, texts) for hit in row.hits if hit.shown.counts]
    unknown = [[rules[gap.rule], texts.cut(str(gap.where)), texts.cut(gap.reason)] for gap in row.gaps]
    told = ((one.where, f"{one.reason}. {one.hint}" if one.hint else one.reason) for one in row.image.problems)
    unknown += [[-1, texts.cut(where), texts.cut(text)] for where, text in told]
    return [places, found, unknown, row.stored, row.minutes]


def _finding(hit: Hit, rules: dict[str, int], numbers: dict[str, int], texts: _Texts) -> list[Any]:
    finding = hit.shown.finding
    severity = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}[hit.severity]
    where = f"{hit.device} {finding.where}" if len(hit.image.roots) > 1 and hit.device else str(finding.where)
    text = f"{finding.message}: {finding.effect}" if finding.effect else finding.message
    fix = f"{_FIXES[finding.fix.applicability]}: {finding.fix.title}" if finding.fix else ""
    return [rules[hit.rule], severity, texts.cut(where), texts.cut(text), texts.cut(fix), [numbers[name] for name, _level in hit.targets]]
