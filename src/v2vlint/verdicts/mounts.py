"""Mounts: does every mount that blocks the boot find its device?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.storage.devices import Devices, NameKind, kernel_fate, name_kind
from v2vlint.facts.storage.devices import Fate as NameFate
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.target import Target
from v2vlint.model.verdict import Cause, Judge, Verdict


def _devices(fstab: Fstab, policy: MountPolicy, devices: Devices, blocks: BlockTable, target: Target) -> Iterator[Cause[FstabEntry]]:
    """The devices of fstab's entries."""
    blocking = [entry for entry in fstab.entries if policy.stops(entry) and not entry.is_pseudo and entry.mount_point not in ("/", "none")]
    for entry in blocking:
        present = _present(entry, devices, blocks, target)
        if present is False:
            reason = f"{entry.mount_point} waits for {entry.device}, which is not there"
            yield Cause(Fate.FAIL, reason, entry.where, about=entry)
        elif present is None:
            reason = f"{entry.device} for {entry.mount_point} could not be matched with a device"
            yield Cause(Fate.UNKNOWN, reason, entry.where, about=entry)
    names = ", ".join(entry.mount_point for entry in blocking)
    yield Cause(Fate.PASS, f"{names} found" if names else "nothing but the root is needed", fstab.where)


def _present(entry: FstabEntry, devices: Devices, blocks: BlockTable, target: Target) -> bool | None:
    spec = entry.device
    if name_kind(spec) is NameKind.KERNEL:
        kept = kernel_fate(spec, target, blocks)
        if kept is NameFate.KEPT:
            return devices.resolve(spec) is not None or None
        return False if kept is NameFate.GONE else None
    if name_kind(spec) is NameKind.HARDWARE:
        return False
    return devices.present(spec)


class MountsVerdict(Verdict, stage=Stage.MOUNTS, place=90):
    """Does every mount that blocks the boot find its device?"""

    devices = Judge(_devices)
