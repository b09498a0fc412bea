"""The input and output of a back-end that writes into guests. There are two: the appliance, and :mod:`v2vlint.fixing.direct`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from v2vlint.fixing.orders import Orders
from v2vlint.isolate import Limits
from v2vlint.model.dataclass import dataclass
from v2vlint.model.source import GuestRef, ImageNode, Keys


@dataclass(frozen=True, slots=True)
class Work:
    """Edits to make: the checked ``orders`` (:class:`~v2vlint.fixing.orders.Orders`), in the overlays that are the keys of ``disks``.

    The values are the images that the overlays belong to. ``guest`` is the guest with its overlays, for reading.
    """

    orders: Orders
    disks: Mapping[Path, ImageNode | None]
    guest: GuestRef
    keys: Keys
    limits: Limits


@dataclass(frozen=True, slots=True)
class Written:
    """What was done: ``notes`` for the report, ``seconds`` by step, and ``by``, the words that follow "written" in messages."""

    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    by: str
