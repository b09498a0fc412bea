"""MAC addresses in the notations of guests' files."""

from __future__ import annotations

import re
from collections.abc import Iterable

_WHOLE = re.compile(r"[0-9a-f]{2}(?::[0-9a-f]{2}){5}")
_GROUPS = re.compile(r"[0-9a-f]{4}(?:\.[0-9a-f]{4}){2}")


def plain_mac(text: str) -> str:
    """An ethernet address in lower case with colons, without quotes; systemd's three groups (``5254.0012.3456``) as well."""
    plain = text.strip("\"'").lower().replace("-", ":")
    return ":".join(re.findall("..", plain.replace(".", ""))) if _GROUPS.fullmatch(plain) else plain


def all_macs(texts: Iterable[str]) -> tuple[str, ...]:
    """The addresses in ``texts``; empty unless all are valid and no two are the same."""
    found = tuple(map(plain_mac, texts))
    return found if all(map(_WHOLE.fullmatch, found)) and len(set(found)) == len(found) else ()
