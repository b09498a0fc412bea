"""BitLocker through dissect.fve, with a passphrase, a recovery key or the content of a .bek file."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any

from v2vlint.disk.luks import Plain
from v2vlint.disk.stream import Stream


def unlock(base: Stream, secrets: Iterable[bytes]) -> Stream | None:
    """The plain content, opened with the first secret that fits; None when none does."""
    from dissect.fve.bde import BDE
    from dissect.fve.exception import Error

    secrets = tuple(secrets)
    try:
        volume: Any = BDE(base)
    except (Error, ValueError, EOFError):
        if secrets:
            raise
        return None
    if volume.has_clear_key():
        volume.unlock_with_clear_key()
        return Plain(volume.open())
    for secret in secrets:
        if _try(volume, secret):
            return Plain(volume.open())
    return None


def _try(volume: Any, secret: bytes) -> bool:
    text = secret.decode("utf-8", "replace").strip()
    attempts: tuple[tuple[Callable[[Any], object], object], ...] = (
        (volume.unlock_with_recovery_password, text),
        (volume.unlock_with_passphrase, text),
        (volume.unlock_with_bek, io.BytesIO(secret)),
    )
    for attempt, key in attempts:
        try:
            attempt(key)
        except Exception:
            continue
        return True
    return False
