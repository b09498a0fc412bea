r"""Files that GLib's GKeyFile reads: NetworkManager's profiles and settings::

    [connection]
    id=lan

Only lines starting with ``#`` are comments, no line continues on the next, and blanks at the end of a value belong to it. Values are
escaped (``\s \n \t \r \\``); one that is not correctly escaped, or not UTF-8, cannot be used. Of several values the last applies. GLib
refuses a file with any other line as a whole (gkeyfile.c, ``g_key_file_parse_line``).
"""

from __future__ import annotations

import re

from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.facts.syntax.ini import MAX_SETTINGS, IniFile, IniSection, IniSetting
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.place import Span, Token

_GROUP = re.compile(r"\[(?P<name>[^\[\]\x00-\x1f\x7f]+)\][ \t]*")
_BLANKS = " \t\n\r\f"  # g_ascii_isspace()
# A key may carry a locale, key[de]; NetworkManager never asks for those.
_KEY = re.compile(r"[^\[\]=]+(?P<locale>\[[^\[\]=]*\])?")
_USABLE = re.compile(r"(?:[^\\\udc80-\udcff]|\\[sntr\\;,])*")


def keyfile_from(text: GuestText) -> IniFile:
    """Parse ``text``. GLib refuses the file if ``malformed`` is not empty. FactUnavailable after ``MAX_SETTINGS`` settings."""
    sections: list[tuple[str, Span, list[IniSetting]]] = []
    malformed: list[Span] = []
    count = 0
    for line in text.lines():
        stripped = line.text.lstrip(_BLANKS)
        if not stripped or stripped[0] in "#\0":
            continue
        if group := _GROUP.fullmatch(stripped):
            sections.append((group["name"], line.where, []))
            continue
        setting = _setting(line)
        count += 1
        if count > MAX_SETTINGS:
            raise FactUnavailable(line.where, f"has more than {MAX_SETTINGS} settings")
        if setting is None or not sections:
            malformed.append(line.where)
        elif not setting.key.endswith("]") and _USABLE.fullmatch(setting.value.value):
            sections[-1][2].append(setting)
    found = tuple(IniSection(name, where, tuple(settings)) for name, where, settings in sections)
    return IniFile(text.path, found, tuple(malformed))


def boolean(token: Token | None) -> bool | None:
    """The value as GLib reads it: only ``true``, ``false``, 1 and 0 are one; None for anything else."""
    known = {"true": True, "1": True, "false": False, "0": False}
    return known.get(token.value.rstrip(_BLANKS)) if token is not None else None


def _setting(line: Line) -> IniSetting | None:
    key, equals, value = line.text.partition("=")
    key = key.strip(_BLANKS)
    if not equals or not _KEY.fullmatch(key):
        return None
    start = len(line.text) - len(value.lstrip(_BLANKS))
    whole = line.source.token(line.start, line.start + len(line.text))
    return IniSetting(key, slice_token(whole, start, len(line.text)), line.where)
