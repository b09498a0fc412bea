"""From a boot's messages to a verdict: milestones in order, the failures seen, and whether the end is certain. Pure functions."""

from __future__ import annotations

from v2vlint.console import signatures
from v2vlint.console.signatures import MILESTONES, Signature, before, failures, marks, troubles
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Milestone, Reached, Via

MAX_LINES = 200_000
MAX_LENGTH = 600
EVIDENCE_LINES = 6
_FAILS_AT = {Stage.ENTRY: signatures.KERNEL, Stage.UNLOCK: signatures.ROOT}
_NAME_OF = {stage: name for name, stage in MILESTONES} | _FAILS_AT
_SKIPPED_BY_KERNEL = (signatures.FIRMWARE, signatures.LOADER)


@dataclass(frozen=True, slots=True)
class Sight:
    """A line, and when it was read (``at``): seconds since the start, or the line number in a log."""

    text: str
    at: float


@dataclass(frozen=True, slots=True)
class BootOutcome:
    """How a boot ended; see :class:`~v2vlint.model.proof.Proof`. ``told`` is the message that provides ``reason``."""

    came_up: bool | None
    reason: str
    stage: Stage | None = None
    evidence: tuple[str, ...] = ()
    told: tuple[Signature, Sight] | None = None


class Story:
    """Receives every line of a boot once, in order, from any channel."""

    def __init__(self) -> None:
        self.seen: dict[str, Sight] = {}
        self.failures: dict[int, tuple[str, Sight]] = {}
        self.troubles: dict[int, tuple[str, Sight]] = {}
        self.end: float | None = None
        self._times: dict[int, int] = {}
        self._heard: set[int] = set()

    def hear(self, line: str, at: float) -> None:
        """Process a line. Repeated lines are ignored."""
        line = line[:MAX_LENGTH]
        # A number instead of the line: a hostile guest prints as much as it likes.
        key = hash(line)
        if key in self._heard or len(self._heard) > MAX_LINES:
            return
        self._heard.add(key)
        sight = Sight(line.strip(), at)
        for mark in marks():
            if mark.milestone not in self.seen and mark.pattern.search(line) and not self._of_initramfs(mark.milestone):
                self.seen[mark.milestone] = sight
        for index, failure in enumerate(failures()):
            if (reason := failure.explain(line)) is not None:
                self._fail(index, failure, reason, sight)
        for index, trouble in enumerate(troubles()):
            if index not in self.troubles and (reason := trouble.explain(line)) is not None:
                self.troubles[index] = (reason, sight)

    def _fail(self, index: int, failure: Signature, reason: str, sight: Sight) -> None:
        self.failures.setdefault(index, (reason, sight))
        self._times[index] = self._times.get(index, 0) + 1
        if self._times[index] == failure.stops and self.end is None:
            self.end = sight.at

    def _of_initramfs(self, milestone: str) -> bool:
        """Whether a line that would show ``milestone`` comes from an initramfs, which has local filesystems of its own."""
        return (
            milestone == signatures.MOUNTS
            and signatures.INITRAMFS in self.seen
            and not {signatures.ROOT, signatures.INIT} & self.seen.keys()
        )

    def witness(self, milestone: str, evidence: str, seconds: float) -> None:
        """Record a milestone that was not seen in a line."""
        self.seen.setdefault(milestone, Sight(evidence, seconds))

    @property
    def login(self) -> float | None:
        """When the login prompt appeared."""
        sight = self.seen.get(signatures.LOGIN)
        return sight.at if sight else None

    @property
    def furthest(self) -> str:
        """The name of the last milestone seen, except network; empty when there is none."""
        names = [name for name, _stage in MILESTONES if name in self.seen and name != signatures.NETWORK]
        return names[-1] if names else ""

    @property
    def explained(self) -> bool:
        """Whether a message was seen that the boot did not recover from: what :meth:`failure` needs."""
        return bool(self._final or self._explaining)

    @property
    def _final(self) -> list[int]:
        known = failures()
        return [index for index, times in self._times.items() if 0 < known[index].stops <= times]

    @property
    def _explaining(self) -> list[int]:
        """From a message of an earlier stage than the one reached, the boot has recovered."""
        reached, known = self._reached_stage(), failures()
        return [index for index in self.failures if reached is None or not before(self._stage(known[index]), reached)]

    def failure(self) -> BootOutcome:
        """The verdict on a boot that failed: the most specific reason among those that the boot did not recover from."""
        final, explaining, known = self._final, self._explaining, failures()
        best = min({*final, *explaining})
        decisive = known[min(final)] if final else known[best]
        lines = tuple(sight.text for index, (_reason, sight) in self.failures.items() if index in {*final, *explaining})[-EVIDENCE_LINES:]
        reason, sight = self.failures[best]
        return BootOutcome(None if decisive.waits else False, reason.rstrip(), self._stage(known[best]), lines, (known[best], sight))

    def _stage(self, failure: Signature) -> Stage:
        """The stage of ``failure``: a mount that fails inside an initramfs is a failure of the root filesystem."""
        assert failure.stage is not None
        return Stage.ROOT if failure.stage is Stage.MOUNTS and self._of_initramfs(signatures.MOUNTS) else failure.stage

    def _reached_stage(self) -> Stage | None:
        return dict(MILESTONES).get(self.furthest)

    def milestones(self, verdict: BootOutcome, via: Via) -> tuple[Milestone, ...]:
        """All milestones in order, with their outcome."""
        names = [name for name, _stage in MILESTONES]
        passed = names.index(self.furthest) if self.furthest else -1
        failed = _NAME_OF.get(verdict.stage) if verdict.stage and verdict.came_up is False else None
        return tuple(self._milestone(name, stage, names.index(name) < passed, name == failed, via) for name, stage in MILESTONES)

    def _milestone(self, name: str, stage: Stage, passed: bool, failed: bool, via: Via) -> Milestone:
        sight = self.seen.get(name)
        if failed:
            reached = Reached.FAILED
        elif via == "kernel" and name in _SKIPPED_BY_KERNEL:
            return Milestone(name, stage, Reached.SKIPPED)
        elif sight:
            reached = Reached.SEEN
        else:
            reached = Reached.IMPLIED if passed else Reached.NOT_SEEN
        return Milestone(name, stage, reached, round(sight.at, 1) if sight else None, sight.text if sight else "")
