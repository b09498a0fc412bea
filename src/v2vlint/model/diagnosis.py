"""What a console log says about a boot, and which part of the guest's image is the cause."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Severity, Stage
from v2vlint.model.proof import Reached
from v2vlint.model.report import FindingReport, Forecast, Problem


@dataclass(frozen=True, slots=True)
class LogMessage:
    """A message in the table of signatures. ``line`` is its 1-based line number, ``name`` that of the signature.

    ``reason`` is a lower-case fragment; ``meaning``, ``advice`` and ``here`` are sentences; ``rules`` are those that predict it.
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
    """One step of the boot; ``line`` and ``text`` are set when it was recognised in the log."""

    name: str
    stage: Stage
    reached: Reached
    line: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Mention:
    """A line of the guest that contains the same name as the decisive message."""

    path: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class ImageDiagnosis:
    """The relation of the image to the message. ``findings`` explain it, the likeliest first; ``mentions`` are lines of the guest that
    contain the same names. ``agrees`` says whether the forecast stops at the same stage; None when either is undecided.
    """

    image: str
    target: str
    forecast: Forecast | None
    agrees: bool | None
    findings: tuple[FindingReport, ...] = ()
    mentions: tuple[Mention, ...] = ()
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The outcome of one boot in a log, which may contain several: number ``boot`` of ``boots``, both counted from 1.

    ``came_up`` is True (a login prompt), False, or None when the log does not say; ``stage`` is where it stopped. ``decisive`` is the
    message that says why, ``also`` are others worth knowing, in the order of the log. ``last`` are the last lines of a boot without a known
    end. ``lines`` is the number of lines in the log, ``skipped`` the number of bytes in its middle that were not read.
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
        """Whether anything in the log belongs to a boot."""
        return self.decisive is not None or bool(self.also) or any(one.reached is Reached.SEEN for one in self.milestones)

    @property
    def failed(self) -> bool:
        """Whether it did not come up, or came up with an error."""
        return self.came_up is False or self.decisive is not None or any(one.severity is Severity.ERROR for one in self.also)
