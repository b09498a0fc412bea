r"""Guest text is hostile: what it may not do to a terminal, a log or a workflow.

Every report passes what comes from a guest through one of these. Undecodable bytes travel as lone surrogates and are shown as ``\xff``.
"""

from __future__ import annotations


def visible(text: str) -> str:
    r"""``text`` on one line with everything invisible spelt out: control characters, bidi marks, odd blanks, undecodable bytes.

    A tab becomes a blank, a line feed ``\n``.
    """
    return text if text.isprintable() else "".join(map(_spell, text.replace("\t", " ")))


def _spell(char: str) -> str:
    if char.isprintable():
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    named = {"\n": "\\n", "\r": "\\r"}.get(char)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}")


def block(text: str) -> str:
    """Several lines (a diff, an excerpt), each made :func:`visible`; line feeds stay."""
    return "\n".join(map(visible, text.split("\n")))


def workflow_data(text: str) -> str:
    """The message of a GitHub workflow command: cannot end it, nor start another."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def workflow_property(text: str) -> str:
    """A property value of a GitHub workflow command."""
    return workflow_data(text).replace(":", "%3A").replace(",", "%2C")
