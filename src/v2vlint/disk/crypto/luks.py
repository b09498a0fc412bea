"""LUKS1 and LUKS2 (cryptsetup's on-disk format): describe the header, and open with a key."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable
from typing import Any, cast

from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError, Unsupported

MAX_JSON = 4 << 20
Details = tuple[tuple[str, str], ...]


def describe(base: Stream, version: int) -> Details:
    """``version``, ``keyslots`` (the number in use), ``cipher``, ``kdf`` and ``tokens`` (types, comma-separated)."""
    head = base.read_at(0, 592)
    if version == 1:
        slots = sum(struct.unpack_from(">I", head, 208 + 48 * slot)[0] == 0x00AC71F3 for slot in range(8))
        cipher = f"{_text(head[8:40])}-{_text(head[40:72])}"
        return (("version", "1"), ("keyslots", str(slots)), ("cipher", cipher), ("kdf", "pbkdf2"))
    facts: dict[str, str] = {"version": str(version)}
    try:
        tree = read_json(base)
    except ImageError as error:
        return (*facts.items(), ("problem", str(error)))
    facts["keyslots"] = str(len(tree["keyslots"]))
    facts["cipher"] = next((str(one.get("encryption", "")) for one in tree["segments"]), "")
    facts["kdf"] = _joined(one.get("kdf", {}).get("type", "") for one in tree["keyslots"] if isinstance(one.get("kdf"), dict))
    facts["tokens"] = _joined(one.get("type", "") for one in tree["tokens"])
    return tuple((key, value) for key, value in facts.items() if value)


def _joined(words: Iterable[object]) -> str:
    return ",".join(dict.fromkeys(str(word) for word in words if word))


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("ascii", "replace")


def read_json(base: Stream) -> dict[str, list[dict[str, Any]]]:
    """The objects in a LUKS2 header's JSON area, by kind."""
    size = struct.unpack(">Q", base.read_at(8, 8))[0]
    if not 4096 < size <= MAX_JSON:
        raise ImageError("damaged LUKS2 header")
    try:
        tree = json.loads(base.read_at(4096, size - 4096).split(b"\0", 1)[0])
    except (ValueError, RecursionError) as error:
        raise ImageError("damaged LUKS2 header") from error
    sections = {kind: tree.get(kind, {}) if isinstance(tree, dict) else {} for kind in ("keyslots", "segments", "tokens", "digests")}
    return {
        kind: [one for one in section.values() if isinstance(one, dict)] if isinstance(section, dict) else []
        for kind, section in sections.items()
    }  # fmt: skip


def unlock(base: Stream, secrets: Iterable[bytes]) -> Stream | None:
    """The plain content, opened with the first secret that fits; None when none does. Unsupported names what it cannot open."""
    from dissect.fve.luks import LUKS

    volume: Any = LUKS(base)
    if any(segment.integrity for segment in volume.metadata.segments.values()):
        raise Unsupported("LUKS2 with integrity protection is not supported")
    broken = ""
    for secret in secrets:
        try:
            volume.unlock_with_passphrase(secret)
        except ValueError as error:
            broken = str(error).partition("keyslots:")[2].strip()
            continue
        return _plain(base, volume)
    if broken:
        raise ImageError(f"a key slot cannot be tried: {broken.splitlines()[0]}")
    return None


def _plain(base: Stream, volume: Any) -> Stream:
    """dissect decrypts sector by sector; the common cipher is handled here, twenty times faster."""
    segment: Any = volume.find_segment(volume._active_keyslot_id)
    key = cast(bytes, volume._active_volume_key)
    if segment.encryption != "aes-xts-plain64" or len(key) not in (32, 64) or segment.sector_size not in (None, 512, 1024, 2048, 4096):
        return Plain(volume.open())
    from v2vlint.disk.crypto.xts import XtsStream

    rest = max(0, base.size - segment.offset)
    size = rest if segment.size in (None, "dynamic") else min(int(segment.size), rest)
    return XtsStream(base, key, segment.offset, size, segment.sector_size or 512, segment.iv_tweak or 0)


class Plain(Stream):
    """One of dissect's decrypting streams."""

    def __init__(self, stream: Any) -> None:
        super().__init__(int(stream.size))
        self._stream = stream

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        return cast(bytes, self._stream.readoffset(offset, self.clip(offset, length)))
