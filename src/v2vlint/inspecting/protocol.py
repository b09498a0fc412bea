"""What parent and child of an inspection say to each other: plain data, cheap to import."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.model.source import GuestRef, Keys

INSPECT = "v2vlint.inspecting.worker:inspect"


@dataclass(frozen=True, slots=True)
class InspectAsk:
    """Inspect one guest; ``applications`` tells whether to list what is installed, the longest part of the answer.

    ``unopened`` asks for what its definition states alone, after the disks were the end of a child.
    """

    guest: GuestRef
    keys: Keys = Keys()
    applications: bool = True
    unopened: bool = False
