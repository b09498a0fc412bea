"""Open BitLocker with a password, a recovery password, the content of a .bek file, or the clear key of a suspended volume."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Iterator
from functools import cache, partial
from typing import Any

from v2vlint.disk.crypto.bitlocker_metadata import Metadata, Protector, read_metadata
from v2vlint.disk.crypto.bitlocker_plain import plain_content
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError

_RECOVERY = re.compile(r"(?<!\d)(?:\d{6}-){7}\d{6}(?!\d)")
MAX_TRIES = 8  # each takes about a second
MAX_BEK = 1 << 16


def unlock(base: Stream, secrets: Iterable[bytes]) -> Stream | None:
    """The plain content, opened with the first secret that fits; None when none does. ImageError when no secret can open the volume.

    A secret is a UTF-8 password, text that contains a recovery password (such as the file that Windows saves), or a .bek file.
    """
    found = read_metadata(base)
    if found.plain:
        return plain_content(base, found)
    for key in _volume_keys(found, tuple(secrets)):
        key_type, data = _encryption_key(found, key)
        return plain_content(base, found, key_type, data)
    return None


def _volume_keys(found: Metadata, secrets: tuple[bytes, ...]) -> Iterator[Any]:
    """The volume's master key, once for every secret that yields it."""
    for protector in found.of_kind("clear key")[:MAX_TRIES]:
        yield from _open(protector, protector.record.clear_key)
    for secret in secrets:
        yield from _with_recovery(found, secret)
        yield from _with_file(found, secret)
    for secret in secrets:
        # Last, because every secret may be a password, and a try takes about a second for each protector.
        yield from _with_password(found, secret)


def _open(protector: Protector, key: Callable[[], Any]) -> Iterator[Any]:
    try:
        # With a key that does not fit, dissect raises anything.
        yield protector.record.decrypt(key())
    except MemoryError:
        raise
    except Exception:
        return


def _text(secret: bytes) -> str:
    # Windows saves recovery passwords in UTF-16.
    return secret.decode("utf-16" if secret[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")


def _with_recovery(found: Metadata, secret: bytes) -> Iterator[Any]:
    from dissect.fve.bde.key import derive_recovery_key

    for text in dict.fromkeys(_RECOVERY.findall(_text(secret)[: 1 << 16])[:MAX_TRIES]):
        try:
            key = derive_recovery_key(text)
        except (ValueError, IndexError):
            continue
        yield from _stretched(found.of_kind("recovery password"), key)


def _with_password(found: Metadata, secret: bytes) -> Iterator[Any]:
    from dissect.fve.bde.key import derive_user_key

    text = secret.decode("utf-8", "replace")
    # A key file may end in a line break, or in blanks that are not part of the password.
    for password in dict.fromkeys((text.rstrip("\r\n"), text.strip())):
        if password and len(password) <= 256:
            yield from _stretched(found.of_kind("password"), derive_user_key(password))


def _stretched(protectors: tuple[Protector, ...], key: bytes) -> Iterator[Any]:
    for protector in protectors[:MAX_TRIES]:
        yield from _open(protector, partial(_stretched_key, protector.record, key))


def _stretched_key(record: Any, key: bytes) -> bytes:
    return _stretch(key, bytes(record.stretch_key(None).salt))


@cache
def _stretch(key: bytes, salt: bytes) -> bytes:
    """Key stretching: a million rounds of SHA-256, about a second."""
    from dissect.fve.bde.key import stretch

    return bytes(stretch(key, salt))


def _with_file(found: Metadata, secret: bytes) -> Iterator[Any]:
    from dissect.fve.bde.information import Dataset

    if len(secret) > MAX_BEK or not (ours := found.of_kind("startup key")):
        return
    try:
        # Most secrets are no .bek files, and make dissect raise anything.
        start: Any = Dataset(io.BytesIO(secret)).find_startup_key()
    except Exception:
        return
    for protector in ours:
        if start is not None and protector.id == str(start.identifier):
            yield from _open(protector, start.external_key)


def _encryption_key(found: Metadata, key: Any) -> tuple[int, bytes]:
    """The type and bytes of the key that encrypts the sectors."""
    try:
        genuine = found.information.check_integrity(key)
        full = found.information.dataset.find_fvek().unbox(key)
        result = int(full.key_type.value), bytes(full.data)
    except MemoryError:
        raise
    except Exception as error:
        raise ImageError("the key fits, but BitLocker's metadata behind it is damaged") from error
    if not genuine:
        raise ImageError("BitLocker's metadata was changed by something that had no key to it")
    return result
