"""A boot proof as text, next to the forecast it is compared with."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.model.finding import Mover, Stage
from v2vlint.model.proof import Milestone, Proof, Reached
from v2vlint.model.report import Fate, Forecast, TargetReport
from v2vlint.report.escape import visible
from v2vlint.report.formats.text import Look, forecast_rows
from v2vlint.report.layout import Row, Styled, flow, paragraph

_OUTCOME = {True: ("came up", "ok"), False: ("did not come up", "error"), None: ("could not tell", "unknown")}
_FATES = {Reached.SEEN: Fate.PASS, Reached.IMPLIED: Fate.PASS, Reached.SKIPPED: Fate.SKIPPED, Reached.FAILED: Fate.FAIL}
_STYLES = {Fate.PASS: "ok", Fate.SKIPPED: "dim", Fate.FAIL: "error", Fate.UNKNOWN: "dim"}
_FIRMWARE = {"bios": "BIOS", "uefi": "UEFI"}


def rows(name: str, proof: Proof, forecast: Forecast | None, look: Look) -> Iterator[Row]:
    """Image name, forecast, proof, and whether they agree."""
    title = visible(name)
    yield (
        Styled(look.line * 2 + " ", "dim"),
        Styled(title, "title"),
        Styled(" " + look.line * max(2, look.width - len(title) - 4), "dim"),
    )
    if forecast:
        yield from forecast_rows(TargetReport(proof.target, Mover.RAW, (), forecast), forecast, look)
        yield ()
    yield from _proof(proof, look)
    yield ()
    yield from _comparison(proof, forecast, look)


def _proof(proof: Proof, look: Look) -> Iterator[Row]:
    word, style = _OUTCOME[proof.came_up]
    yield from paragraph(f"{word}: {proof.reason}", look.width, 3, style, Styled(f"booted on {visible(proof.target)}: ", "title"))
    yield from flow([_mark(milestone, proof, look) for milestone in proof.milestones], look.width, 5)
    if proof.came_up is not True:
        for line in proof.evidence:
            yield from paragraph(line, look.width, 5, lead=Styled(f"{look.bar} ", "dim"))
    network = next((one.evidence for one in proof.milestones if one.name == "network"), "")
    if network:
        yield from paragraph(network, look.width, 5, "dim", Styled("network: ", "dim"))
    way = "kernel started directly" if proof.via == "kernel" else _FIRMWARE[proof.firmware]
    facts = (way, proof.cpu, proof.acceleration, f"{proof.seconds:g}s", "image unchanged" if proof.unchanged else "")
    yield from paragraph(f" {look.dot} ".join(fact for fact in facts if fact), look.width, 5, "dim")
    for note in proof.notes:
        yield from paragraph(note, look.width, 5, "dim", Styled("note: ", "dim"))
    if not proof.unchanged:
        yield from paragraph("the image files changed during the boot: another program is writing to them", look.width, 3, "error")


def _mark(milestone: Milestone, proof: Proof, look: Look) -> Styled:
    fate = _FATES.get(milestone.reached, Fate.SKIPPED if proof.came_up is False else Fate.UNKNOWN)
    seconds = f" {milestone.seconds:.0f}s" if milestone.seconds is not None and milestone.reached is Reached.SEEN else ""
    return Styled(f"{look.fate(fate)} {milestone.name}{seconds}", _STYLES[fate])


def _comparison(proof: Proof, forecast: Forecast | None, look: Look) -> Iterator[Row]:
    agrees = proof.agrees(forecast) if forecast else None
    if forecast is None:
        yield from paragraph("there is no forecast to compare with", look.width, 3, "dim")
    elif agrees is None:
        who = "the boot" if proof.came_up is None else "the forecast"
        yield from paragraph(f"nothing to compare: {who} could not tell", look.width, 3, "dim")
    elif agrees:
        network = next((one.fate for one in forecast.stages if one.stage is Stage.NETWORK), Fate.UNKNOWN)
        alone = " (the network is not compared: the forecast could not tell)" if proof.came_up and network is Fate.UNKNOWN else ""
        yield from paragraph(f"forecast and boot agree{alone}", look.width, 3, "ok")
    else:
        where = ", ".join(proof.differences(forecast))
        text = f"forecast and boot disagree at {where}: the forecast is wrong, please report it with the files kept by --artifacts"
        yield from paragraph(text, look.width, 3, "error")
