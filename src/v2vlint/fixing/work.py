"""What a back-end that writes into guests is given, and what it says. There are two: an appliance, and :mod:`v2vlint.fixing.direct`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from v2vlint.fixing.orders import Orders
from v2vlint.isolate import Limits
from v2vlint.model.source import GuestRef, ImageNode, Keys


@dataclass(frozen=True, slots=True)
class Work:
    """Edits to make: ``orders`` (:class:`~v2vlint.fixing.orders.Orders`, checked) in the overlays that are the keys of ``disks``.

    Their values are what each is a change of. ``guest`` is the guest in the overlays, for whoever reads it.
    """

    orders: Orders
    disks: Mapping[Path, ImageNode | None]
    guest: GuestRef
    keys: Keys
    limits: Limits


@dataclass(frozen=True, slots=True)
class Written:
    """What was done: ``notes`` for the report, ``seconds`` by part, and ``by`` whom, to follow the word "written"."""

    notes: tuple[str, ...]
    seconds: Mapping[str, float]
    by: str
