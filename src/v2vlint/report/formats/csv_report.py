"""CSV: one line for each guest and target. ``VM`` and ``VM UUID`` have the same names as in RVTools' exports, so that the two can be
joined.
"""

from __future__ import annotations

import csv
import io

from v2vlint.model.finding import Severity
from v2vlint.model.report import Report
from v2vlint.report.escape import visible
from v2vlint.report.rollup import GuestRow, roll_up, wave
from v2vlint.report.standing import TargetStanding

COLUMNS = (
    "VM", "VM UUID",
    "guest", "hostname", "system", "kind", "arch", "source", "target", "verdict", "wave", "reason", "safe fixes",
    "unsafe fixes", "manual fixes", "errors", "warnings", "not checked",
    "virtual bytes", "stored bytes", "copy minutes at 1 Gbit/s", "rules",
)  # fmt: skip
# What spreadsheets take for the start of a formula (OWASP, CSV Injection).
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def render(report: Report) -> str:
    """The report as CSV."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in roll_up(report):
        for place in row.places:
            writer.writerow([_cell(value) for value in values(row, place)])
    return out.getvalue()


def values(row: GuestRow, place: TargetStanding) -> tuple[str | int | float, ...]:
    """The values of the columns."""
    image, systems = row.image, [root.os for root in row.image.roots]
    rules = dict.fromkeys(hit.rule for hit in row.hits if hit.shown.counts and place.target in dict(hit.targets))
    return (
        image.origin.name, image.origin.uuid, image.name, " ".join(one.hostname for one in systems if one.hostname), row.system,
        " ".join(dict.fromkeys(one.kind for one in systems)), " ".join(dict.fromkeys(one.arch for one in systems if one.arch)), row.source,
        place.target, place.standing.value, wave(place), place.reason, place.safe, place.unsafe, place.manual, row.count(Severity.ERROR),
        row.count(Severity.WARNING), len(row.gaps) + len(image.problems), row.virtual, row.stored, round(row.minutes, 1), " ".join(rules),
    )  # fmt: skip


def _cell(value: str | int | float) -> str | int | float:
    """A text that no spreadsheet mistakes for a formula."""
    if not isinstance(value, str):
        return value
    shown = visible(value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown
