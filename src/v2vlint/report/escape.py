r"""Guest text is hostile: nothing of it may reach a terminal, a log or a file as anything but visible characters.

Every format passes what comes from a guest through :func:`visible` and then through its own escaping (HTML, Markdown, ``%0A``).
Undecodable bytes travel as lone surrogates and are shown as ``\xff``.
"""

from __future__ import annotations

import re
from typing import Any

_UNDECODABLE = re.compile("[\ud800-\udfff]")
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, keep: str = "") -> str:
    r"""``text`` with everything invisible spelt out: control characters, bidi marks, odd blanks, line ends, undecodable bytes.

    Characters in ``keep`` stay as they are.
    """
    return text if text.isprintable() else "".join(char if char in keep else _spell(char) for char in text)


def valid_unicode(value: Any) -> Any:
    """Plain data with undecodable bytes spelt out (``\\xff``), so that every string in it is valid Unicode."""
    if isinstance(value, str):
        return _UNDECODABLE.sub(lambda match: visible(match[0]), value)
    if isinstance(value, dict):
        return {key: valid_unicode(item) for key, item in value.items()}
    return [valid_unicode(item) for item in value] if isinstance(value, list) else value


def _spell(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    width, letter = (2, "x") if code < 0x100 else (4, "u") if code < 0x10000 else (8, "U")
    return _NAMED.get(char) or f"\\{letter}{code:0{width}x}"
