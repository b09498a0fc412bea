"""An estate in rows: what each guest is, its standing on each target, its wave, and the work it needs. Plain data."""

from __future__ import annotations

from collections.abc import Iterable

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Severity
from v2vlint.model.report import ImageReport, Report
from v2vlint.report import words
from v2vlint.report.standing import Standing, TargetStanding, places
from v2vlint.report.walk import Gap, Hit, gaps, hits

GIGABIT = 110_000_000
"""Bytes a second of a copy over a link of 1 Gbit/s."""
WAVES = {
    Standing.READY: (1, "move as they are"),
    Standing.SAFE: (2, "v2vlint --fix first: it can be undone"),
    Standing.HAND: (3, "somebody has to change or look at something; each reason says what"),
    Standing.STUCK: (4, "do not come up until what the reason names is solved"),
    Standing.UNJUDGED: (5, "not known yet: a key, another format or a path is missing"),
}
"""The wave of a migration by standing, with what it means."""


@dataclass(frozen=True, slots=True)
class GuestRow:
    """One guest. ``stored`` is the space its files take on the host, ``virtual`` the size of its disks, in bytes."""

    image: ImageReport
    system: str
    source: str
    places: tuple[TargetStanding, ...]
    hits: tuple[Hit, ...]
    gaps: tuple[Gap, ...]
    virtual: int
    stored: int

    def count(self, severity: Severity) -> int:
        """The number of its findings of that severity, without those that do not count."""
        return sum(hit.shown.counts and hit.severity is severity for hit in self.hits)

    @property
    def minutes(self) -> float:
        """The time to copy its files over a link of 1 Gbit/s: its minimum downtime without a warm migration."""
        return self.stored / GIGABIT / 60


def wave(place: TargetStanding) -> int:
    """The wave in which a guest moves to a target."""
    return WAVES[place.standing][0]


def roll_up(report: Report) -> tuple[GuestRow, ...]:
    """The guests of a report, in its order."""
    by_image: dict[int, list[Hit]] = {}
    for hit in hits(report):
        by_image.setdefault(id(hit.image), []).append(hit)
    return tuple(_row(image, by_image.get(id(image), ()), report.targets) for image in report.images)


def _row(image: ImageReport, found: Iterable[Hit], targets: tuple[str, ...]) -> GuestRow:
    return GuestRow(
        image=image,
        system=" + ".join(dict.fromkeys(words.system(root.os) for root in image.roots)) or "not known",
        source=image.origin.kind or (f"{image.format}, no definition" if image.format else "no definition"),
        places=tuple(places(image, targets)),
        hits=tuple(found),
        gaps=gaps(image),
        virtual=image.size,
        stored=sum(file.size for file in image.files) or image.size,
    )
