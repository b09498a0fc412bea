"""The boots in a log, and the one to diagnose: the last one that shows how it ended."""

from __future__ import annotations

import heapq
import re
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import field, replace
from itertools import chain, islice

from v2vlint.console import signatures
from v2vlint.console.signatures import Signature, failures, troubles
from v2vlint.console.story import BootOutcome, Sight, Story
from v2vlint.diagnosing.lines import MAX_SCREEN, dedented, joined, unbroken
from v2vlint.model.dataclass import dataclass
from v2vlint.model.diagnosis import Diagnosis, LogMessage, LogMilestone
from v2vlint.model.finding import Severity, Stage

MAX_BOOTS = 200
MAX_ALSO = 20
LAST_LINES = 5
LOOP = 3
_POWER_ON = re.compile(r"^(SeaBIOS|iPXE) \(|^UEFI firmware \(version|BdsDxe: loading Boot")
_KERNEL = re.compile(r"\bLinux version \d+\.\d+")

Foreseeing = Callable[[str], tuple[str, ...]]


@dataclass(slots=True)
class DiagnosedBoot:
    """One boot: its story, the line where its kernel started (0: not yet), and its last lines with their numbers."""

    story: Story = field(default_factory=Story)
    kernel: int = 0
    last: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=LAST_LINES))

    def ends_before(self, number: int, line: str) -> bool:
        """Whether ``line`` belongs to the next boot: the firmware or a kernel starts again."""
        if _KERNEL.search(line):
            # A second kernel: a restart without the firmware's messages, or kexec.
            return self.kernel not in (0, number)
        # Firmware greets more than once in a boot: SeaBIOS, then iPXE.
        beyond = self.story.furthest not in ("", signatures.FIRMWARE, signatures.LOADER)
        return (beyond or self.story.end is not None) and _POWER_ON.search(line) is not None

    def hear(self, number: int, line: str) -> None:
        """Process a line."""
        if not self.kernel and _KERNEL.search(line):
            self.kernel = number
        # In place of the time, which a log need not have.
        self.story.hear(line, float(number))
        self.last.append((number, line.strip()))

    def outcome(self) -> BootOutcome:
        """How it ended."""
        story = self.story
        stopped = story.end is not None and (story.login is None or story.end > story.login)
        if stopped:
            told = story.failure()
            return (
                told
                if story.login is None
                else BootOutcome(False, f"it came up, and later {told.reason}", told.stage, told.evidence, told.told)
            )
        if story.login is not None:
            return BootOutcome(True, "it reached its login prompt")
        if story.explained:
            told = story.failure()
            return BootOutcome(None, f"the log ends before the boot does; {told.reason}", told.stage, told.evidence, told.told)
        furthest = story.furthest or "nothing that is known"
        return BootOutcome(None, f"the log ends without a known message; the last sign is: {furthest}")


def boots_in(lines: Iterable[tuple[int, str]]) -> list[DiagnosedBoot]:
    """The boots of a log, in order; at least one. Of a large number, the first ones are dropped."""
    boots: deque[DiagnosedBoot] = deque([DiagnosedBoot()], maxlen=MAX_BOOTS)
    for number, line in lines:
        if boots[-1].ends_before(number, line):
            boots.append(DiagnosedBoot())
        boots[-1].hear(number, line)
    return list(boots)


def diagnose(log: str, lines: Iterable[tuple[int, str]], foreseeing: Foreseeing) -> Diagnosis:
    """The last boot that shows how it ended, or else the last one. ``foreseeing`` returns the rules that predict a line."""
    lines = unbroken(lines)
    screen = list(islice(lines, MAX_SCREEN + 1))
    screen = dedented(screen) if len(screen) <= MAX_SCREEN else screen
    boots = boots_in(chain(screen, lines))
    if len(screen) <= MAX_SCREEN and not _tell(boots) and _tell(again := boots_in(heapq.merge(screen, joined(screen)))):
        boots = again
    outcomes = [boot.outcome() for boot in boots]
    chosen = next((at for at in reversed(range(len(boots))) if outcomes[at].told or outcomes[at].came_up), len(boots) - 1)
    boot, outcome = boots[chosen], _repeated(outcomes)[chosen]
    decisive = _message(*outcome.told, outcome.told[0].explain(outcome.told[1].text), foreseeing) if outcome.told else None
    return Diagnosis(
        log=log,
        lines=0,
        boots=len(boots),
        boot=chosen + 1,
        came_up=outcome.came_up,
        reason=outcome.reason,
        stage=outcome.stage,
        decisive=decisive,
        milestones=_milestones(boot.story, outcome),
        also=_also(boot.story, decisive, foreseeing),
        last=tuple(f"{number}: {line}" for number, line in boot.last) if decisive is None and not outcome.came_up else (),
    )


def _repeated(outcomes: list[BootOutcome]) -> list[BootOutcome]:
    """The outcomes, which say so when the guest restarts again and again."""
    if len(outcomes) < LOOP or any(one.came_up or one.told for one in outcomes):
        return outcomes
    return [replace(one, reason=f"{one.reason}; none of the {len(outcomes)} boots in the log comes up") for one in outcomes]


def _tell(boots: list[DiagnosedBoot]) -> bool:
    return any(boot.story.failures or boot.story.troubles for boot in boots)


def _milestones(story: Story, outcome: BootOutcome) -> tuple[LogMilestone, ...]:
    return tuple(
        LogMilestone(one.name, one.stage, one.reached, None if one.seconds is None else int(one.seconds), one.evidence)
        for one in story.milestones(outcome, "firmware")
    )


def _also(story: Story, decisive: LogMessage | None, foreseeing: Foreseeing) -> tuple[LogMessage, ...]:
    """Other messages: troubles, and explanations of the end besides the decisive one."""
    known = failures()
    found = [(troubles()[index], sight, reason) for index, (reason, sight) in story.troubles.items()]
    if story.login is None:
        # A machine that came up has overcome its failures.
        found += [(known[index], sight, reason) for index, (reason, sight) in story.failures.items()]
    told = [_message(signature, sight, reason, foreseeing) for signature, sight, reason in found]
    others = [one for one in told if decisive is None or (one.line, one.name) != (decisive.line, decisive.name)]
    return tuple(sorted(others, key=lambda one: one.line)[:MAX_ALSO])


def _message(signature: Signature, sight: Sight, reason: str | None, foreseeing: Foreseeing) -> LogMessage:
    topic = signature.topic
    return LogMessage(
        line=int(sight.at),
        text=sight.text,
        name=signature.name,
        stage=signature.stage or Stage.CONSOLE,
        severity=signature.trouble or Severity.ERROR,
        reason=(reason or "").strip(),
        meaning=topic.meaning,
        advice=topic.advice,
        here=topic.here,
        rules=foreseeing(sight.text),
    )
