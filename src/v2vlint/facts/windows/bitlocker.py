"""BitLocker on the system volume, as its metadata describes it."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.bitlocker import BitlockerVolume, bitlocker_volume
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Bitlocker:
    """The BitLocker volumes that the system volume is on: one, or none."""

    system: tuple[BitlockerVolume, ...] = ()


@provides
def find_bitlocker(stack: RootStack, blocks: BlockTable) -> Bitlocker:
    """The volume described by the device under each opened BitLocker layer."""
    names = [layer.parents[0] if layer.parents else layer.name for layer in stack.of_kind("bitlocker")]
    found = [(name, blocks.named(name)) for name in names]
    return Bitlocker(tuple(BitlockerVolume(name) if device is None else bitlocker_volume(device) for name, device in found))
