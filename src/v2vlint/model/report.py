"""The result of a run as plain data, the only input of every report format."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Fate as Fate
from v2vlint.model.finding import Finding, Mover, Severity, Stage, Unknown
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Where
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import HostFileInfo, NotJudged


class Status(enum.StrEnum):
    """The outcome of one rule on one root for one target."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"
    NOT_APPLICABLE = "not_applicable"
    EXCEPTED = "excepted"


@dataclass(frozen=True, slots=True)
class StageForecast:
    """The prediction for one stage: ``fate``, the reason, the place that decides it and the rule that explains it."""

    stage: Stage
    fate: Fate
    reason: str
    where: Where | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Forecast:
    """The predicted outcome of a boot, stage by stage. ``fate`` is PASS (reaches its login), FAIL or UNKNOWN."""

    fate: Fate
    stages: tuple[StageForecast, ...]
    way_back: str = ""

    @property
    def will_boot(self) -> bool | None:
        """Whether it reaches its login: True, False, or None when undecided."""
        return {Fate.PASS: True, Fate.FAIL: False}.get(self.fate)

    @property
    def reachable(self) -> bool | None:
        """Whether it boots and its network comes up; None when undecided."""
        if Fate.FAIL in (self.fate, self._network):
            return False
        return True if self.fate is self._network is Fate.PASS else None

    @property
    def outcome(self) -> Fate:
        """FAIL when it does not boot or cannot be reached, UNKNOWN when either is undecided, else PASS."""
        return next((fate for fate in (Fate.FAIL, Fate.UNKNOWN) if fate in (self.fate, self._network)), Fate.PASS)

    @property
    def decisive(self) -> StageForecast | None:
        """The stage that determines :attr:`outcome`; None when the outcome is PASS, or no single stage determines it."""
        wanted = [one for one in self.stages if one.fate is self.outcome is not Fate.PASS]
        return next((one for one in wanted if self.fate is self.outcome or one.stage is Stage.NETWORK), None)

    @property
    def _network(self) -> Fate:
        return next((one.fate for one in self.stages if one.stage is Stage.NETWORK), Fate.SKIPPED)


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a guest file around a finding; ``first`` is the 1-based number of the first line."""

    path: str
    first: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RecipeLine:
    """A line of a recipe, a file of the repository that the image is built from; ``line`` is 1-based."""

    path: str
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True, slots=True)
class FindingReport:
    """A finding with everything a reader needs: excerpt, the diff of its fix, fingerprint, and how policy treated it.

    ``exception`` is the reason it was excepted; ``baselined`` says that it is in the baseline.
    ``written`` is the line of a recipe that wrote what it is about, when that is certain.
    """

    finding: Finding
    fingerprint: str
    excerpt: Excerpt | None = None
    diff: str = ""
    exception: str = ""
    baselined: bool = False
    written: RecipeLine | None = None

    @property
    def counts(self) -> bool:
        """Whether it affects the exit code."""
        return not self.exception and not self.baselined


@dataclass(frozen=True, slots=True)
class RuleResult:
    """The outcome of one rule. ``reason`` explains unknown, not-applicable and excepted results; ``crashed`` marks a bug in the rule."""

    rule: str
    status: Status
    findings: tuple[FindingReport, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    reason: str = ""
    crashed: bool = False


@dataclass(frozen=True, slots=True)
class TargetReport:
    """The verdict on one root for one target. ``command`` is the matching command line of the mover; empty for a raw copy."""

    target: str
    mover: Mover
    results: tuple[RuleResult, ...]
    forecast: Forecast | None = None
    command: str = ""


@dataclass(frozen=True, slots=True)
class RootReport:
    """One operating system. ``device`` is the block device of its root; ``glance`` holds a few label/value pairs (kernel, loader…)."""

    device: str
    os: OsInfo
    glance: tuple[tuple[str, str], ...]
    targets: tuple[TargetReport, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something about the image that limited what could be read: an unsupported layout, a missing key, a crashed child."""

    where: str
    reason: str
    hint: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """What defines a machine: ``kind`` is the format of its definition (``vmx``, ``ovf``, ``libvirt``…), empty when there is none.

    ``name`` and ``uuid`` are those in the definition, under which inventories list it.
    """

    kind: str = ""
    name: str = ""
    uuid: str = ""


@dataclass(frozen=True, slots=True)
class EarlierProof:
    """A real boot of the unchanged guest, by ``v2vlint prove``, on the target of that name.

    ``came_up`` and ``reason`` are its outcome (:class:`~v2vlint.model.proof.Proof`), ``way`` says how it was started, ``at`` when: seconds
    since the epoch. ``agrees`` says whether the forecast made then was the same; None when either was undecided.
    """

    target: str
    came_up: bool | None
    reason: str
    way: str
    at: float
    agrees: bool | None = None


@dataclass(frozen=True, slots=True)
class ImageReport:
    """One guest. ``name`` is as the user gave it; ``problems`` make the run exit with 3 unless there are findings.

    ``machine`` is the judgement of the definition alone, once per target, whether or not a root could be read; ``roots`` holds the rest.
    ``recipe`` is the repository file that this image is built from, relative to the repository, if the configuration names one.
    ``files`` are the host files that were opened for it. ``origin`` says what defines the machine. ``proofs`` are boots of it as it is.
    ``unwritable`` is advice on what to do instead of fixing it, when it cannot be written here.
    """

    name: str
    paths: tuple[str, ...]
    format: str
    size: int
    blocks: tuple[BlockDevice, ...]
    roots: tuple[RootReport, ...]
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0
    recipe: str = ""
    machine: tuple[TargetReport, ...] = ()
    files: tuple[HostFileInfo, ...] = ()
    origin: Origin = Origin()
    proofs: tuple[EarlierProof, ...] = ()
    unwritable: str = ""

    def judged(self) -> Iterator[tuple[str, TargetReport]]:
        """Every judgement with the device of its root; the device is empty for judgements of the definition."""
        yield from (("", target) for target in self.machine)
        yield from ((root.device, target) for root in self.roots for target in root.targets)

    def findings(self) -> Iterator[FindingReport]:
        """Every finding, once per target it was found for, including those that do not count."""
        return (found for _device, target in self.judged() for result in target.results for found in result.findings)


@dataclass(frozen=True, slots=True)
class Report:
    """A whole run. ``docs_url`` is the URL of the documentation site without a trailing slash, or empty when not known.

    ``not_judged`` lists entries of folders and lists that are not guests of the run. ``interrupted`` says that it ended before all guests
    were done.
    """

    version: str
    targets: tuple[str, ...]
    mover: Mover
    images: tuple[ImageReport, ...]
    rules: tuple[RuleInfo, ...]
    fail_on: Severity = Severity.ERROR
    strict: bool = False
    seconds: float = 0.0
    docs_url: str = ""
    not_judged: tuple[NotJudged, ...] = ()
    interrupted: bool = False
