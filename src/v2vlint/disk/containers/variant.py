"""Variants of one image format that importers treat differently."""

from __future__ import annotations

from v2vlint.disk.stream import Slice, Stream


def variant_of(kind: str, disk: Stream) -> str:
    """``fixed`` or ``dynamic`` of a VHD, ``stream`` of a stream-optimised VMDK and ``plain`` of others; empty for other formats."""
    kind = kind.removesuffix(".gz")
    if kind in ("vhd", "vpc"):
        return "fixed" if isinstance(disk, Slice) else "dynamic"
    if kind != "vmdk":
        return ""
    from v2vlint.disk.containers.vmdk import Sparse

    return "stream" if isinstance(disk, Sparse) and disk.is_packed else "plain"
