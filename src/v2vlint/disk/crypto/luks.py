"""LUKS1 and LUKS2 (cryptsetup's on-disk format): describe the header, and open the volume with a key.

A LUKS2 volume has two headers; cryptsetup uses the newer of those with a valid checksum (``LUKS2_disk_hdr_read``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, cast

from v2vlint.disk.fields import Fields
from v2vlint.disk.stream import Joined, MemoryStream, Piece, Stream
from v2vlint.model.errors import ImageError, Unsupported
from v2vlint.model.plain import JsonObject

MAX_JSON = 4 << 20
PRIMARY, SECONDARY = b"LUKS\xba\xbe", b"SKUL\xba\xbe"
PLACES = tuple(1 << power for power in range(14, 23))
"""Where the second header of LUKS2 may lie: behind a first one of that size."""
_BINARY = 4096
# struct luks_phdr (lib/luks1/luks.h of cryptsetup).
_CIPHER_NAME, _CIPHER_MODE = slice(8, 40), slice(40, 72)
_KEYBLOCKS_AT, _KEYBLOCK_SIZE, _KEYBLOCK = 208, 48, Fields(">", active=(0, "I"))
_KEY_ENABLED = 0x00AC71F3
# struct luks2_hdr_disk (lib/luks2/luks2.h of cryptsetup).
_FIRST_SIZE = Fields(">", hdr_size=(8, "Q"))
_HEADER = Fields(">", hdr_size=(8, "Q"), hdr_offset=(256, "Q"))
_SEQID, _CHECKSUM_ALG = slice(16, 24), slice(72, 104)
_CSUM_AT, _CSUM_SIZE = 448, 64
Details = tuple[tuple[str, str], ...]


def describe(base: Stream, version: int) -> Details:
    """``version``, ``keyslots`` (the number in use), ``cipher``, ``kdf``, and comma-separated ``opening`` (the key slots that open the
    content) and ``tokens`` (``TYPE:SLOT`` for those of them that a token opens). In cryptsetup, a token outlives its key slot
    (``luksKillSlot``), and a slot need not open the content (``luksAddKey --unbound``).
    """
    head = base.read_at(0, 592)
    if version == 1:
        starts = (_KEYBLOCKS_AT + _KEYBLOCK_SIZE * slot for slot in range(8))
        slots = sum(_KEYBLOCK.read(head, at)["active"] == _KEY_ENABLED for at in starts)
        cipher = f"{_text(head[_CIPHER_NAME])}-{_text(head[_CIPHER_MODE])}"
        return (("version", "1"), ("keyslots", str(slots)), ("cipher", cipher), ("kdf", "pbkdf2"))
    facts: dict[str, str] = {"version": str(version)}
    try:
        tree = read_json(base)
    except ImageError as error:
        return (*facts.items(), ("problem", str(error)))
    tokens, opening = tree["tokens"].values(), _opening(tree)
    facts["keyslots"] = str(len(tree["keyslots"]))
    facts["cipher"] = next((str(one.get("encryption", "")) for one in tree["segments"].values()), "")
    facts["kdf"] = _joined(one.get("kdf", {}).get("type", "") for one in tree["keyslots"].values() if isinstance(one.get("kdf"), dict))
    facts["opening"] = _joined(opening)
    facts["tokens"] = _joined(f"{one.get('type', '')}:{slot}" for one in tokens for slot in opening if slot in _names(one, "keyslots"))
    return tuple((key, value) for key, value in facts.items() if value)


def _opening(tree: dict[str, dict[str, JsonObject]]) -> list[str]:
    """The key slots with a key of the content: those of a digest that has segments."""
    bound = {slot for digest in tree["digests"].values() if _names(digest, "segments") for slot in _names(digest, "keyslots")}
    return [slot for slot in tree["keyslots"] if slot in bound]


def _names(one: JsonObject, key: str) -> list[str]:
    found = one.get(key)
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _joined(words: Iterable[object]) -> str:
    return ",".join(dict.fromkeys(str(word) for word in words if word))


def _text(data: bytes) -> str:
    return data.split(b"\0", 1)[0].decode("ascii", "replace")


def read_header(base: Stream) -> bytes:
    """The LUKS2 header that cryptsetup would use, whole; ImageError when neither is valid."""
    first = _header(base, 0, PRIMARY)
    size = _FIRST_SIZE.read(base.read_at(0, 16))["hdr_size"]
    second = next((found for at in ((size,) if first else PLACES) if at in PLACES and (found := _header(base, at, SECONDARY))), b"")
    if not first and not second:
        raise ImageError("damaged LUKS2 header")
    # seqid is big-endian, so its bytes compare like the number; ties go to the first header.
    return max(first, second, key=lambda one: (len(one) > 0, one[_SEQID]))


def _header(base: Stream, at: int, magic: bytes) -> bytes:
    """The header at ``at``; empty when there is none, it belongs elsewhere, or its checksum is wrong."""
    head = base.read_at(at, _BINARY)
    if head[:8] != magic + b"\0\2":
        return b""
    found, algorithm = _HEADER.read(head), _text(head[_CHECKSUM_ALG])
    size = found["hdr_size"]
    if size not in PLACES or found["hdr_offset"] != at or algorithm not in hashlib.algorithms_available:
        return b""
    whole = base.read_at(at, size)
    # csum itself counts as zero.
    digest = hashlib.new(algorithm, whole[:_CSUM_AT] + bytes(_CSUM_SIZE) + whole[_CSUM_AT + _CSUM_SIZE :])
    stored = whole[_CSUM_AT : _CSUM_AT + digest.digest_size]
    # The SHAKE functions have no size of their own.
    return whole if digest.digest_size and digest.digest() == stored and _is_text(whole[_BINARY:]) else b""


def _is_text(area: bytes) -> bool:
    """Whether an area holds one JSON object and nothing after it (``validate_json_area``)."""
    text, _end, rest = area.partition(b"\0")
    try:
        return len(text) < len(area) and not rest.strip(b"\0") and isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def read_json(base: Stream) -> dict[str, dict[str, JsonObject]]:
    """The objects in a LUKS2 header's JSON area, by kind and name."""
    tree = json.loads(read_header(base)[_BINARY:].split(b"\0", 1)[0])
    sections = {kind: tree.get(kind, {}) for kind in ("keyslots", "segments", "tokens", "digests")}
    return {
        kind: {name: one for name, one in section.items() if isinstance(one, dict)} if isinstance(section, dict) else {}
        for kind, section in sections.items()
    }  # fmt: skip


def _with_header(base: Stream) -> Stream:
    """The volume with the header in use in both places: dissect always prefers the second one, which may be older, or damaged."""
    if base.read_at(6, 2) == b"\0\1" and base.read_at(0, 6) == PRIMARY:
        return base
    header = read_header(base)
    both = PRIMARY + header[6:] + SECONDARY + header[6:]
    return Joined([Piece(len(both), MemoryStream(both)), Piece(base.size - len(both), base, len(both))])


def unlock(base: Stream, secrets: Iterable[bytes]) -> Stream | None:
    """The plain content, opened with the first secret that fits; None when none does. Unsupported names what it cannot open."""
    from dissect.fve.luks import LUKS

    base = _with_header(base)
    volume: Any = LUKS(base)
    if any(segment.integrity for segment in volume.metadata.segments.values()):
        raise Unsupported("LUKS2 with integrity protection is not supported")
    broken = ""
    for secret in secrets:
        try:
            volume.unlock_with_passphrase(secret)
        except ValueError as error:
            # dissect raises the same for a wrong key; slots that it could not even try are listed after this word.
            broken = str(error).partition("keyslots:")[2].strip()
            continue
        return _plain(base, volume)
    if broken:
        raise ImageError(f"a key slot cannot be tried: {broken.splitlines()[0]}")
    return None


def _plain(base: Stream, volume: Any) -> Stream:
    """dissect decrypts sector by sector; the most common cipher is handled here, twenty times faster."""
    segment: Any = volume.find_segment(volume._active_keyslot_id)
    key = cast(bytes, volume._active_volume_key)
    if segment.encryption != "aes-xts-plain64" or len(key) not in (32, 64) or segment.sector_size not in (None, 512, 1024, 2048, 4096):
        return Plain(volume.open())
    from v2vlint.disk.crypto.xts import XtsStream

    rest = max(0, base.size - segment.offset)
    size = rest if segment.size in (None, "dynamic") else min(int(segment.size), rest)
    return XtsStream(base, key, segment.offset, size, segment.sector_size or 512, segment.iv_tweak or 0)


class Plain(Stream):
    """The output of one of dissect's decrypting streams."""

    def __init__(self, stream: Any) -> None:
        super().__init__(int(stream.size))
        self._stream = stream

    def read_at(self, offset: int, length: int) -> bytes:
        """See :class:`~v2vlint.disk.stream.Stream`."""
        return cast(bytes, self._stream.readoffset(offset, self.clip(offset, length)))
