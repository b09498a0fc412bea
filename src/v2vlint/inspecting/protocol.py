"""The messages between parent and child of an inspection: plain data, cheap to import."""

from __future__ import annotations

from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef, Keys

INSPECT = "v2vlint.inspecting.worker:inspect"


@dataclass(frozen=True, slots=True)
class InspectAsk:
    """Inspect one guest; ``applications`` says whether to list installed software, the longest part of the answer.

    ``unopened`` requests only what its definition states, after a child died on the disks.
    """

    guest: GuestRef
    keys: Keys = Keys()
    applications: bool = True
    unopened: bool = False
