"""What a BIOS runs from a guest's disks; files that boot code reads are looked up here."""

from __future__ import annotations

from dataclasses import replace

from v2vlint.disk.boot.chain import follow
from v2vlint.disk.filesystems.node import as_it_lies
from v2vlint.disk.volumes.stack import Stack
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.errors import FactUnavailable

MAX_HEAD = 4096


def with_chains(stack: Stack) -> BlockTable:
    """The block table of ``stack``, including the boot chains."""
    blocks = stack.blocks
    partitions = tuple(device for device in blocks if device.kind == "partition")

    readable = {device.name for device in stack.filesystems()}

    def read(name: str, path: str) -> bytes | None:
        device = blocks.named(name)
        seen = blocks.raw(device) if device else None
        if device is None or (seen is None and blocks.complete):
            return None
        system = stack.open(seen.name) if seen and seen.name in readable else None
        if system is None:
            raise LookupError(name)
        try:
            return GuestFS({"/": as_it_lies(system)}).head(path, MAX_HEAD)
        except FactUnavailable as error:
            raise LookupError(name) from error

    return replace(blocks, chains=follow(stack.disks, partitions, read))
