r"""Guest text is hostile: it may reach a terminal, a log or a file only as visible characters.

Every format passes guest text through :func:`visible` and then through its own escaping (HTML, Markdown, ``%0A``).
Undecodable bytes travel as lone surrogates and are shown as ``\xff``. Output to a stream passes :func:`without_commands` last.
"""

from __future__ import annotations

import json
import re
from typing import Any, Literal

_UNDECODABLE = re.compile("[\ud800-\udfff]")
_HASHES = re.compile(r"##(?=\w*\[)")
_COLONS = re.compile(r"(?m)^([^\S\n]*)::(?=[\w-]+(?:\s[^\n]*)?::)")
_SPELT = {"text": (r"\x23", r"\x3a"), "json": (r"\u0023", r"\u003a"), "xml": ("&#35;", "&#58;")}
_NAMED = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}


def visible(text: str, keep: str = "") -> str:
    r"""``text`` with everything invisible escaped: control characters, bidi marks, unusual spaces, line ends, undecodable bytes.

    Characters in ``keep`` stay as they are.
    """
    return text if text.isprintable() else "".join(char if char in keep else _spell(char) for char in text)


def valid_unicode(value: Any) -> Any:
    """Plain data with undecodable bytes escaped (``\\xff``), so that every string in it is valid Unicode."""
    if isinstance(value, str):
        return _UNDECODABLE.sub(lambda match: visible(match[0]), value)
    if isinstance(value, dict):
        return {key: valid_unicode(item) for key, item in value.items()}
    return [valid_unicode(item) for item in value] if isinstance(value, list) else value


def json_text(value: Any, indent: int | None = 2) -> str:
    """Plain data as JSON in ASCII. Text that a terminal could take for commands is escaped in JSON's way, and restored by a JSON parser."""
    # JSON leaves DEL as it is, and it is a control character.
    return json.dumps(valid_unicode(value), indent=indent).replace("\x7f", "\\u007f") + "\n"


Family = Literal["text", "json", "xml", "raw"]
"""The kind of document, which determines how characters can be escaped: text, JSON (also TOML and YAML in double quotes), XML or HTML."""


def without_commands(text: str, family: Family = "text") -> str:
    """``text`` for a log that a CI runner scans for commands; ``raw`` text is entirely our own and is left alone.

    GitHub reads ``::name…::`` at the start of a line, GitHub and Azure ``##[name]`` and ``##vso[`` anywhere, TeamCity ``##teamcity[``.
    """
    if family == "raw":
        return text
    hash_sign, colon = _SPELT[family]
    return _HASHES.sub(lambda _match: f"#{hash_sign}", _COLONS.sub(lambda match: f"{match[1]}{colon}:", text))


def _spell(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    # An undecodable byte, as surrogateescape spells it.
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    width, letter = (2, "x") if code < 0x100 else (4, "u") if code < 0x10000 else (8, "U")
    return _NAMED.get(char) or f"\\{letter}{code:0{width}x}"
