"""The parent's side of an inspection: one child per guest, machines in the order given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from v2vlint import isolate
from v2vlint.files import Desk
from v2vlint.inspecting.protocol import INSPECT, InspectAsk
from v2vlint.isolate import DEFAULT_LIMITS, Answer, Call, Limits, Outcome, Refusal
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import UsageError
from v2vlint.model.machine import Machine
from v2vlint.model.report import Problem
from v2vlint.source.journal import pending

Progress = Callable[[Sequence[str], int], None]


def inspect_all(
    asks: Sequence[InspectAsk], limits: Limits = DEFAULT_LIMITS, jobs: int = 1, progress: Progress | None = None
) -> tuple[Machine, ...]:
    """Inspect every guest, ``jobs`` at a time. An unreadable guest is a machine with a problem; UsageError ends the run.

    ``progress`` is called ten times a second with the names in progress and the number of guests done.
    """
    machines: dict[int, Machine] = {}

    def tick(running: frozenset[int]) -> None:
        if progress:
            progress([asks[position].guest.name for position in sorted(running)], len(machines))

    desks = [Desk(ask.guest) for ask in asks]
    calls = (Call(INSPECT, encode(ask), desk=desk) for ask, desk in zip(asks, desks, strict=True))
    for position, outcome in isolate.run_all(calls, limits, jobs, tick):
        machine = _machine(asks[position], outcome, limits)
        unfinished = pending(asks[position].guest.paths, machine.paths)
        files = desks[position].files()
        machines[position] = replace(machine, problems=(*unfinished, *machine.problems), files=files)
    return tuple(machines[position] for position in sorted(machines))


def _machine(ask: InspectAsk, outcome: Outcome, limits: Limits) -> Machine:
    if isinstance(outcome, Answer):
        try:
            return decode(Machine, outcome.value)
        except (TypeError, ValueError, KeyError):
            return _failed(ask, "the reader process gave no valid answer", "")
    if isinstance(outcome, Refusal):
        if outcome.kind == UsageError.__name__:
            raise UsageError(outcome.message, hint=outcome.hint)
        return _failed(ask, outcome.message, outcome.hint)
    failed = _failed(ask, outcome.reason, outcome.hint)
    return failed if ask.guest.kind == "disks" or ask.unopened else _by_definition(ask, failed, limits)


def _by_definition(ask: InspectAsk, failed: Machine, limits: Limits) -> Machine:
    """When a child died on the disks, describe the definition alone in another one."""
    again = replace(ask, unopened=True)
    known = _machine(again, isolate.run(Call(INSPECT, encode(again), desk=Desk(ask.guest)), limits), limits)
    return replace(known, problems=failed.problems)


def _failed(ask: InspectAsk, reason: str, hint: str) -> Machine:
    return Machine(ask.guest.name, ask.guest.paths, problems=(Problem(ask.guest.name, reason, hint),))
