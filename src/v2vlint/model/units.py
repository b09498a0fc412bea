"""Units of sizes in definitions."""

from __future__ import annotations

LIBVIRT = {
    "b": 1, "bytes": 1, "kb": 1000, "k": 1 << 10, "kib": 1 << 10, "mb": 1000**2, "m": 1 << 20, "mib": 1 << 20,
    "gb": 1000**3, "g": 1 << 30, "gib": 1 << 30, "tb": 1000**4, "t": 1 << 40, "tib": 1 << 40,
}  # fmt: skip
"""Bytes of libvirt's units, in lower case (``src/util/virutil.c``, ``virScaleInteger``)."""


def scaled(digits: str, factor: int) -> int:
    """``digits``, which may have a fraction (``1.5``), times ``factor``, rounded down."""
    whole, _point, fraction = digits.partition(".")
    parts: int = 10 ** len(fraction)
    return int(whole + fraction) * factor // parts
