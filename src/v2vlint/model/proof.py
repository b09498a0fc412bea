"""The outcome of a real boot: milestones with their evidence, and the verdict."""

from __future__ import annotations

import enum
from typing import Literal

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Stage
from v2vlint.model.report import Fate, Forecast
from v2vlint.model.target import Firmware

Via = Literal["firmware", "kernel"]


# Neighbouring stages whose failures look alike on a console: without output, a loader and a kernel are both just silent.
_SAME_PLACE = (
    frozenset({Stage.FIRMWARE, Stage.LOADER, Stage.ENTRY}),
    frozenset({Stage.ENTRY, Stage.KERNEL}),
    frozenset({Stage.KERNEL, Stage.USERLAND}),
    frozenset({Stage.INITRAMFS, Stage.ROOT, Stage.UNLOCK}),
    frozenset({Stage.UNLOCK, Stage.MOUNTS}),
)


def same_place(one: Stage, other: Stage) -> bool:
    """Whether a boot that was seen to stop at ``one`` may really have stopped at ``other``, as far as an observer can tell."""
    return one is other or any({one, other} <= places for places in _SAME_PLACE)


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
        """Whether ``forecast`` predicted this outcome, to the stage and the network; None when either of them is undecided."""
        if self.came_up is None or forecast.will_boot is None:
            return None
        return not self.differences(forecast)

    def differences(self, forecast: Forecast) -> tuple[Stage, ...]:
        """The stages at which the two differ: where only one stops, where they stop at different places, and the network of a guest that
        came up. Empty when they agree or nothing can be compared.
        """
        if self.came_up is None or forecast.will_boot is None:
            return ()
        stops = next((one.stage for one in forecast.stages if one.fate is Fate.FAIL), None)
        if self.came_up != forecast.will_boot:
            return (self.stage or stops or Stage.CONSOLE,)
        if not self.came_up:
            return () if self.stage is None or stops is None or same_place(self.stage, stops) else (self.stage,)
        said = next((one.fate for one in forecast.stages if one.stage is Stage.NETWORK), Fate.UNKNOWN)
        seen = any(one.stage is Stage.NETWORK and one.reached is Reached.SEEN for one in self.milestones)
        return (Stage.NETWORK,) if said is (Fate.FAIL if seen else Fate.PASS) else ()
