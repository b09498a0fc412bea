"""The upper half of a guest in the HTML page: the machine, its disks drawn to scale, and its boot forecasts as stages."""

from __future__ import annotations

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.report import Fate, Forecast, ImageReport, RootReport, StageForecast
from v2vlint.report import words
from v2vlint.report.markup import Safe, join, tag

_WIDTH = 1000
_MARKS = {Fate.PASS: "will pass", Fate.FAIL: "will fail", Fate.UNKNOWN: "unknown", Fate.SKIPPED: "not reached"}


def chip(text: str, kind: str = "") -> Safe:
    """A small label."""
    return tag("span", text, class_=f"chip {kind}".rstrip())


def icon(name: str) -> Safe:
    """One of the symbols of the page."""
    return tag("svg", tag("use", href=f"#i-{name}"), class_="icon", viewBox="0 0 24 24", aria_hidden="true")


def at_a_glance(image: ImageReport, repair: str) -> Safe:
    """Name, systems, facts and disks, and the command that repairs it."""
    size = words.size(image.size)
    chips = [chip(image.format), " ", chip(size), " ", join("built from ", tag("code", image.recipe)) if image.recipe else None]
    systems = [_system(root) for root in image.roots] or [tag("p", "No operating system was found.")]
    disks = _disks(image)
    return join(
        tag("h2", image.name),
        tag("p", chips, class_="about"),
        tag("div", tag("div", systems), tag("div", disks) if disks else None, class_="glance"),
        tag("p", repair, class_="about") if repair else None,
        [tag("p", "Proof: ", words.proven(proof), class_="about") for proof in image.proofs],
        tag("ul", [tag("li", words.opened(file)) for file in image.files], class_="files") if image.files else None,
    )


def _system(root: RootReport) -> Safe:
    rows = [tag("div", tag("dt", label), tag("dd", value)) for label, value in words.facts(root)]
    return join(tag("p", tag("b", words.system(root.os)), class_="system"), tag("dl", rows))


def _disks(image: ImageReport) -> list[Safe]:
    return [_disk(disk, [block for block in image.blocks if block.disk == disk.disk]) for disk in image.blocks if disk.kind == "disk"]


def _disk(disk: BlockDevice, blocks: list[BlockDevice]) -> Safe:
    """A bar to scale (with a minimum width for small partitions), and a list of what is on the disk."""
    parts = [block for block in blocks if block.kind == "partition"] or [disk]
    widths = _widths([part.size for part in parts])
    rects, x = [], 0
    for number, (part, width) in enumerate(zip(parts, widths, strict=True)):
        kind = "bad" if part.problem else f"part-{number % 4}"
        rects.append(tag("rect", x=x, y=0, width=max(1, width - 4), height=24, rx=3, class_=kind))
        x += width
    bar = tag(
        "svg", rects, viewBox=f"0 0 {_WIDTH} 24", preserveAspectRatio="none", class_="disk", role="img", aria_label=f"layout of {disk.name}"
    )
    title = tag("p", tag("b", disk.name), f" {words.size(disk.size)}", f" · {disk.problem}" if disk.problem else "")
    listed = [block for block in blocks if block is not disk or disk.fs_type]
    return tag("div", title, bar, tag("ul", [_block(block) for block in listed]), class_="layout")


def _widths(sizes: list[int]) -> list[int]:
    """Shares of the bar, at least a fortieth each."""
    total = sum(sizes) or 1
    raised = [max(size / total, 1 / 40) for size in sizes]
    return [round(_WIDTH * share / sum(raised)) for share in raised]


def _block(block: BlockDevice) -> Safe:
    words_ = [block.fs_type or block.kind, words.size(block.size), block.label and f"“{block.label}”", block.problem]
    return tag(
        "li",
        tag("code", block.name),
        " ",
        " · ".join(word for word in words_ if word),
        class_=f"kind-{block.kind}" if block.kind == "lv" else None,
    )


def forecast_card(target: str, forecast: Forecast, index: str, device: str, known: frozenset[str]) -> Safe:
    """One boot as a row of stages, the deciding ones explained below, the rest on demand."""
    where = f" from {device}" if device else ""
    outcome = forecast.outcome.value
    title = tag("h4", icon(outcome), " ", words.verdict(forecast, target), where, class_=f"verdict {outcome}")
    stages = tag("ol", [_stage(stage) for stage in forecast.stages], class_="stages")
    decisive = [stage for stage in forecast.stages if stage.fate in (Fate.FAIL, Fate.UNKNOWN)]
    notes = [_note(stage, known) for stage in decisive]
    back = tag("p", tag("b", "Way back: "), forecast.way_back) if forecast.way_back else None
    rows = [tag("div", tag("dt", stage.stage.value), tag("dd", stage.reason)) for stage in forecast.stages]
    more = tag("details", tag("summary", "Every stage"), tag("dl", rows), class_="quiet")
    return tag("div", title, stages, notes, back, more, class_="card forecast", data_forecast=index)


def _stage(stage: StageForecast) -> Safe:
    label = f"{stage.stage.value}: {_MARKS[stage.fate]}: {stage.reason}"
    dot = tag("span", icon(stage.fate.value), class_="dot")
    return tag(
        "li",
        dot,
        tag("span", stage.stage.value, class_="name"),
        tag("span", stage.reason, class_="why"),
        class_=stage.fate.value,
        title=label,
    )


def _note(stage: StageForecast, known: frozenset[str]) -> Safe:
    rule = join(" · ", tag("a", stage.rule, href=f"#rule-{stage.rule}") if stage.rule in known else stage.rule) if stage.rule else None
    place = join(" · ", tag("code", str(stage.where))) if stage.where else None
    return tag(
        "p",
        tag("b", f"{stage.stage.value} {'fails' if stage.fate is Fate.FAIL else 'is unknown'}: "),
        stage.reason,
        place,
        rule,
        class_="note",
    )
