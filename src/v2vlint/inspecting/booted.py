"""Which of several operating systems the disk starts by itself: what the default entry of the live boot loader starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.machine import OperatingSystem


def mark_booted(
    systems: Sequence[OperatingSystem], stores: Sequence[FactStore], blocks: BlockTable
) -> tuple[tuple[OperatingSystem, ...], str]:
    """The systems with the booted one marked, and how it was told or why not."""
    if len(systems) < 2:
        return tuple(dataclasses.replace(system, boots=True) for system in systems), ""
    chosen, reason = _booted(systems, stores, blocks)
    return tuple(dataclasses.replace(system, boots=system is chosen) for system in systems), reason


def _booted(systems: Sequence[OperatingSystem], stores: Sequence[FactStore], blocks: BlockTable) -> tuple[OperatingSystem | None, str]:
    live = list(_live(systems, stores))
    if not live:
        windows = [system for system in systems if system.windows]
        if len(windows) == 1:
            return windows[0], "the only one with a boot loader that can be there: no Linux here has one"
        return None, "no boot loader of any of them was found"
    first = min(live, key=lambda one: one[2])
    if sum(one[2] == first[2] for one in live) > 1:
        return None, f"{len(live)} boot loaders are installed, and nothing tells which one the firmware starts"
    home, entry, _rank = first
    if entry is None:
        return None, f"the boot loader of {home.device} has no default entry that can be told"
    return _started(systems, home, entry, blocks)


def _live(systems: Sequence[OperatingSystem], stores: Sequence[FactStore]) -> Iterator[tuple[OperatingSystem, BootEntry | None, int]]:
    """Systems with a loader of their own, its default entry, and a rank: lower for the one the firmware likelier starts."""
    for system, store in zip(systems, stores, strict=True):
        if system.release.type != "linux":
            continue
        try:
            loader, firmware = store.get(Bootloader), store.get(Firmware)
        except FactUnavailable:
            continue
        if loader.menus:
            yield system, loader.default, _rank(store, system, firmware)


def _rank(store: FactStore, system: OperatingSystem, firmware: Firmware) -> int:
    """0 when the loader lies on the partition marked as active or on the disk with boot code, else 1."""
    blocks = store.get(BlockTable)
    boot = next((mount.device for mount in system.mounts if mount.path == "/boot"), system.device)
    home = blocks.named(boot)
    if home is None:
        return 2
    return 0 if home.bootable else 1 if firmware.boot_disk in (None, home.disk) else 2


def _started(
    systems: Sequence[OperatingSystem], home: OperatingSystem, entry: BootEntry, blocks: BlockTable
) -> tuple[OperatingSystem | None, str]:
    by = f"the default entry '{entry}' of {home.loader} on {home.device}"
    if not entry.foreign and not entry.chainload:
        return home, by
    windows = [system for system in systems if system.windows or system.release.type == "dos"]
    if entry.chainload and len(windows) == 1:
        return windows[0], by
    root = entry.root
    device = blocks.resolve(root.value) if root is not None and root.value else None
    other = next((system for system in systems if device is not None and system.device == device.name), None)
    return other, by if other else f"{by} starts something else"
