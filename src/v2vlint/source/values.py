"""Single values in the notations of machine definitions."""

from __future__ import annotations

import re
import struct
import uuid

from v2vlint.model.mac import plain_mac

_UUID = re.compile(r"[0-9a-f]{32}")
_SIGNED = re.compile(r"-?\d{1,20}")
_MAC = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")


def number(text: str) -> int:
    """A whole number; 0 for anything else, or for more than 15 digits."""
    stripped = text.strip()
    return int(stripped) if stripped.isascii() and stripped.isdecimal() and len(stripped) < 16 else 0


def mac_address(text: str) -> str:
    """A MAC address in lower case with colons, from any notation of definitions and guests; empty when it is invalid or all zeroes."""
    plain = plain_mac(text.strip())
    if len(plain) == 12 and ":" not in plain:
        plain = ":".join(plain[at : at + 2] for at in range(0, 12, 2))
    return plain if _MAC.fullmatch(plain) and plain != "00:00:00:00:00:00" else ""


def identifier(text: str) -> str:
    """A UUID in lower case with hyphens, from any notation that definitions use; empty when it is invalid or all zeroes."""
    plain = re.sub(r"[\s{}:-]", "", text.lower()) if len(text) < 100 else ""
    if not _UUID.fullmatch(plain) or not plain.strip("0"):
        return ""
    return "-".join((plain[:8], plain[8:12], plain[12:16], plain[16:20], plain[20:]))


def generation(first: str, second: str) -> str:
    """A VM generation ID from two signed 64-bit numbers, with the bytes as the guest finds them in memory; empty when they are invalid.

    The GUID that libvirt and QEMU take has the same sixteen bytes. virt-v2v agrees; libvirt's own conversion of a VMX file writes the
    digits of the numbers in order instead, which gives the guest other bytes.
    """
    halves = [int(text) & (1 << 64) - 1 for text in (first, second) if _SIGNED.fullmatch(text.strip())]
    return identifier(str(uuid.UUID(bytes_le=struct.pack("<QQ", *halves)))) if len(halves) == 2 else ""


def true(text: str) -> bool:
    """Whether a word means yes."""
    return text.strip().lower() in ("true", "yes", "on", "1")
