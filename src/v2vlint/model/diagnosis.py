"""What a console log says about a boot, and where the guest's image has the cause."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.model.finding import Severity, Stage
from v2vlint.model.proof import Reached
from v2vlint.model.report import FindingReport, Forecast, Problem


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A message that the table of signatures knows. ``line`` is the 1-based number of its line, ``name`` that of the signature.

    ``reason`` is a lower-case fragment; ``meaning``, ``advice`` and ``here`` are sentences; ``rules`` are those that foresee it.
    """

    line: int
    text: str
    name: str
    stage: Stage
    severity: Severity
    reason: str
    meaning: str
    advice: str
    here: str
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LogMilestone:
    """One step of the boot; ``line`` and ``text`` are set when its sign was read."""

    name: str
    stage: Stage
    reached: Reached
    line: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A line of the guest that names what the decisive message names."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class ImageDiagnosis:
    """What the image has to do with the message. ``findings`` explain it, the likeliest first; ``mentions`` are lines of the guest that
    name the same thing. ``agrees`` says whether the forecast stops at the same stage; None when either is undecided."""

    image: str
    target: str
    forecast: Forecast | None
    agrees: bool | None
    findings: tuple[FindingReport, ...] = ()
    mentions: tuple[Mention, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The outcome of one boot in a log, which may hold several: ``boot`` of ``boots``, both from 1.

    ``came_up`` is True (a login prompt), False, or None when the log does not say; ``stage`` is where it stopped. ``decisive`` is the
    message that says why, ``also`` are others worth knowing, in the order of the log. ``last`` are the last lines of a boot whose end is
    not known. ``lines`` is how many the log has, ``skipped`` how many bytes in its middle were not read.
    """

    log: str
    lines: int
    boots: int
    boot: int
    came_up: bool | None
    reason: str
    stage: Stage | None
    decisive: LogMessage | None
    milestones: tuple[LogMilestone, ...]
    also: tuple[LogMessage, ...] = ()
    last: tuple[str, ...] = ()
    skipped: int = 0
    image: ImageDiagnosis | None = None

    @property
    def recognised(self) -> bool:
        """Whether anything in the log is of a boot."""
        return self.decisive is not None or bool(self.also) or any(one.reached is Reached.SEEN for one in self.milestones)

    @property
    def failed(self) -> bool:
        """Whether it did not come up, or came up with an error."""
        return self.came_up is False or self.decisive is not None or any(one.severity is Severity.ERROR for one in self.also)
