"""Inspecting: child processes, keys, and the machines in the order of the guests."""

from __future__ import annotations

import dataclasses

from v2vlint.inspecting.parent import inspect_all
from v2vlint.inspecting.protocol import InspectAsk
from v2vlint.model.machine import Machine
from v2vlint.run import keys
from v2vlint.run.request import Request


def inspect(request: Request, *, applications: bool = True) -> tuple[Machine, ...]:
    """Inspect all guests; ``applications`` includes the list of installed software, the longest part of the answer."""
    asks = [InspectAsk(guest, request.keys, applications) for guest in request.guests]
    settings = request.settings
    machines = inspect_all(asks, settings.limits, settings.jobs, request.progress)
    found = [_unlocked(request, ask, machine) for ask, machine in zip(asks, machines, strict=True)]
    fitting = keys.fitting([machine.problems for machine in found])
    return tuple(dataclasses.replace(machine, problems=problems) for machine, problems in zip(found, fitting, strict=True))


def _unlocked(request: Request, ask: InspectAsk, machine: Machine) -> Machine:
    """The machine again, with the keys that were typed."""
    again = request.more_keys(ask.guest, machine.problems)
    if again is None:
        return machine
    return inspect_all([InspectAsk(ask.guest, again.keys, ask.applications)], request.settings.limits)[0]
