"""A diagnosis as text: how far the boot got, the message that says why it stopped, and the place in the image."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.model.diagnosis import Diagnosis, ImageDiagnosis, LogMessage
from v2vlint.model.proof import Reached
from v2vlint.model.report import Fate, FindingReport
from v2vlint.report import words
from v2vlint.report.escape import visible
from v2vlint.report.formats.text import Look
from v2vlint.report.layout import Row, Styled, flow, paragraph

MAX_TEXT = 300
MAX_RULES = 4
_FATES = {Reached.SEEN: Fate.PASS, Reached.IMPLIED: Fate.PASS, Reached.FAILED: Fate.FAIL}
_STYLES = {Fate.PASS: "ok", Fate.FAIL: "error", Fate.UNKNOWN: "dim", Fate.SKIPPED: "dim"}


def rows(found: Diagnosis, look: Look) -> Iterator[Row]:
    """The whole diagnosis."""
    title = visible(found.log)
    yield (Styled(look.line * 2 + " ", "dim"), Styled(title, "title"), Styled(" " + look.line * max(2, look.width - len(title) - 4), "dim"))
    yield from _verdict(found, look)
    if found.decisive:
        yield from _decisive(found.decisive, look)
    for line in found.last:
        yield from paragraph(line[:MAX_TEXT], look.width, 5, lead=Styled(f"{look.bar} ", "dim"))
    if found.image:
        yield ()
        yield from _image(found, found.image, look)
    if found.also:
        yield ()
        yield (Styled("   also in this boot:", "title"),)
        for one in found.also:
            yield from paragraph(one.reason, look.width, 5, lead=Styled(f"line {one.line}: ", one.severity.label))


def _verdict(found: Diagnosis, look: Look) -> Iterator[Row]:
    if not found.recognised:
        yield from paragraph("nothing in it is a message of a boot that is known", look.width, 3, "unknown")
        return
    word, style = {True: ("came up", "ok"), False: ("did not come up", "error"), None: ("cannot be told", "unknown")}[found.came_up]
    at = f" at the {found.stage} stage" if found.stage and found.came_up is False else ""
    yield from paragraph(f"{word}{at}: {found.reason}", look.width, 3, style)
    marks = [(look.fate(_FATES.get(one.reached, Fate.SKIPPED)), one) for one in found.milestones]
    yield from flow([Styled(f"{mark} {one.name}", _STYLES[_FATES.get(one.reached, Fate.SKIPPED)]) for mark, one in marks], look.width, 5)
    notes = [f"boot {found.boot} of {found.boots}"] if found.boots > 1 else []
    notes += [f"{found.skipped} bytes in the middle of the log were not read"] if found.skipped else []
    for note in notes:
        yield from paragraph(note, look.width, 5, "dim")


def _decisive(message: LogMessage, look: Look) -> Iterator[Row]:
    yield ()
    yield from paragraph(message.text[:MAX_TEXT], look.width, 3, "title", Styled(f"line {message.line}: ", "place"))
    yield from paragraph(message.meaning, look.width, 5)
    yield from paragraph(message.advice, look.width, 5, lead=Styled("do: ", "ok"))
    yield from paragraph(message.here, look.width, 5, "dim")
    if message.rules:
        more = f" and {len(message.rules) - MAX_RULES} more" if len(message.rules) > MAX_RULES else ""
        yield from paragraph(f"{', '.join(message.rules[:MAX_RULES])}{more}", look.width, 5, "rule", Styled("foreseen by: ", "dim"))


def _image(found: Diagnosis, image: ImageDiagnosis, look: Look) -> Iterator[Row]:
    yield from paragraph(_forecast(found, image), look.width, 3, lead=Styled(f"in {visible(image.image)}: ", "title"))
    for one in image.findings:
        yield from _finding(one, look)
    for mention in image.mentions:
        yield from paragraph(f"{mention.path}:{mention.line}", look.width, 5, "place")
        yield from paragraph(mention.text, look.width, 7, lead=Styled(f"{look.bar} ", "dim"))
    for problem in image.problems:
        yield from paragraph(f"{problem.where}: {problem.reason}", look.width, 5, "unknown", Styled("not checked: ", "unknown"))


def _forecast(found: Diagnosis, image: ImageDiagnosis) -> str:
    if image.forecast is None:
        return "there is no forecast for it"
    said = f"for {image.target}, {words.verdict(image.forecast)}"
    if image.agrees:
        return f"{said}; the log agrees"
    if image.agrees is None:
        return said
    other = "it may have been another target, disk or state of the guest" if image.forecast.will_boot else "the log shows something else"
    return f"{said}; {other}" if not found.came_up else f"{said}, but the log shows that it came up"


def _finding(one: FindingReport, look: Look) -> Iterator[Row]:
    finding = one.finding
    label = finding.severity.label
    yield (
        Styled("     "),
        Styled(f"{label} ", label),
        Styled(visible(finding.rule), "rule"),
        Styled(f"  {visible(str(finding.where))}", "place"),
    )
    yield from paragraph(finding.message, look.width, 7)
    if finding.effect:
        yield from paragraph(finding.effect, look.width, 7, lead=Styled(f"{look.arrow} ", label))
    if finding.fix:
        yield from paragraph(finding.fix.title, look.width, 7, lead=Styled(f"fix ({words.safety(finding.fix)}): ", "ok"))
        for line in one.diff.split("\n"):
            if line[:1] in "+-" and line[:3] not in ("+++", "---") and line:
                yield (Styled("         "), Styled(visible(line[:MAX_TEXT]), "add" if line[0] == "+" else "del"))
