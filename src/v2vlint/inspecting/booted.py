"""Mark which of several operating systems the disk boots by default."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from v2vlint.facts.boot.who import System, who_starts
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockTable
from v2vlint.model.machine import OperatingSystem


def mark_booted(
    systems: Sequence[OperatingSystem], stores: Sequence[FactStore], blocks: BlockTable
) -> tuple[tuple[OperatingSystem, ...], str]:
    """The systems with the booted one marked, and how that was determined or why not."""
    found = [_system(system, store) for system, store in zip(systems, stores, strict=True)]
    starter = who_starts(found, blocks)
    marked = zip(systems, found, strict=True)
    return tuple(dataclasses.replace(system, boots=one is starter.system) for system, one in marked), starter.reason


def _system(system: OperatingSystem, store: FactStore) -> System:
    kind = "windows" if system.windows else system.release.type
    boot = next((mount.device for mount in system.mounts if mount.path == "/boot"), system.device)
    return System(system.device, kind, system.release.product_name, boot, store)
