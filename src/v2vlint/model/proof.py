"""The outcome of a real boot: milestones with their evidence, and the verdict."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Literal

from v2vlint.model.finding import Stage
from v2vlint.model.report import Forecast
from v2vlint.model.target import Firmware

Via = Literal["firmware", "kernel"]


class Reached(enum.StrEnum):
    """SEEN: its sign was read · IMPLIED: a later milestone was seen · SKIPPED: not part of this boot · FAILED: the boot stopped here."""

    SEEN = "seen"
    IMPLIED = "implied"
    SKIPPED = "skipped"
    FAILED = "failed"
    NOT_SEEN = "not seen"


@dataclass(frozen=True, slots=True)
class Milestone:
    """One step of a boot. ``seconds`` since QEMU started and ``evidence`` (what was read) are set for SEEN only."""

    name: str
    stage: Stage
    reached: Reached
    seconds: float | None = None
    evidence: str = ""


@dataclass(frozen=True, slots=True)
class Proof:
    """A real boot of one guest on one target's hardware.

    ``came_up`` is True (a login prompt was reached), False, or None when that could not be determined; ``reason`` explains it and ``stage``
    is where a failed boot stopped. ``evidence`` holds the guest's own lines that decided it, ``cpu`` is the x86-64 level of the virtual
    CPU. ``unchanged`` says that the image files had the same bytes before and after. ``notes`` are differences between this boot and the
    target, ``command`` is QEMU's command line.
    """

    target: str
    via: Via
    firmware: Firmware
    acceleration: str
    cpu: str
    came_up: bool | None
    reason: str
    stage: Stage | None
    milestones: tuple[Milestone, ...]
    evidence: tuple[str, ...] = ()
    seconds: float = 0.0
    unchanged: bool = True
    notes: tuple[str, ...] = ()
    command: tuple[str, ...] = ()

    def agrees(self, forecast: Forecast) -> bool | None:
        """Whether ``forecast`` predicted this outcome; None when either of them is undecided."""
        if self.came_up is None or forecast.will_boot is None:
            return None
        return self.came_up == forecast.will_boot
