"""Registry hives of Windows through dissect.regf."""

from __future__ import annotations

from typing import Any, BinaryIO


def hive_values(stream: BinaryIO, path: str) -> dict[str, str]:
    """The values of one key, as text; empty when the hive is damaged or has no such key."""
    from dissect.regf import RegistryHive

    try:
        hive: Any = RegistryHive(stream)
        return {str(value.name): str(value.value).strip("\0") for value in hive.open(path).values()}
    except MemoryError:
        raise
    except Exception:
        return {}
