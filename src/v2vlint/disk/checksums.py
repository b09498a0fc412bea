"""Checksums of on-disk structures."""

from __future__ import annotations


def crc32c(seed: int, data: bytes) -> int:
    """The kernel's ``crc32c(seed, data)``: CRC-32C (RFC 3720) without the inversions at start and end."""
    import google_crc32c

    return int(google_crc32c.extend(seed ^ 0xFFFFFFFF, data)) ^ 0xFFFFFFFF
