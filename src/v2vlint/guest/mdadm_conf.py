"""``mdadm.conf`` (mdadm.conf(5))::

DEVICE /dev/sda1 /dev/sdb1
ARRAY /dev/md/root metadata=1.2 UUID=8c2f…:…
ARRAY /dev/md0 devices=/dev/sda1,/dev/sdb1
"""

from __future__ import annotations

import re

from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.blocks import ArrayName
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token

PATHS = ("/etc/mdadm/mdadm.conf", "/etc/mdadm.conf")
FOLDERS = ("/etc/mdadm/mdadm.conf.d", "/etc/mdadm.conf.d")
# A quote that is not closed ends with its line: conf_word() of config.c.
_WORD = re.compile(r"""(?:"[^"]*"?|'[^']*'?|[^\s"'])+""")
_QUOTED = re.compile(r"""(["'])(.*?)(?:\1|$)""")


@dataclass(frozen=True, slots=True)
class MdArray:
    """An ``ARRAY`` line: ``device`` (``/dev/md0``), lower-case ``uuid`` or empty, ``name``, member ``devices`` named by path, ``minor``."""

    device: Token
    uuid: str
    name: str
    devices: tuple[Token, ...]
    where: Span
    minor: str = ""


@dataclass(frozen=True, slots=True)
class MdadmConf:
    """Arrays, and the ``DEVICE`` words that restrict where members are looked for (empty: everywhere)."""

    arrays: tuple[MdArray, ...] = ()
    scan: tuple[Token, ...] = ()
    files: tuple[str, ...] = ()


def read_mdadm_conf(fs: GuestFS) -> MdadmConf:
    """mdadm.conf and its drop-ins. Missing files count as empty."""
    paths = [path for path in PATHS if fs.is_file(path)]
    paths += [f"{folder}/{name}" for folder in FOLDERS for name in fs.listdir(folder) if name.endswith(".conf")]
    return mdadm_conf_from([text for path in fs.distinct(paths) if (text := fs.text(path))])


def mdadm_conf_from(texts: list[GuestText]) -> MdadmConf:
    """Parse configuration texts in order; a line starting with a space continues the previous one."""
    arrays: list[MdArray] = []
    scan: list[Token] = []
    for text in texts:
        for words in _statements(text):
            keyword = _bare(words[0]).value.lower()
            if "array".startswith(keyword) and len(keyword) >= 3 and len(words) > 1:  # match_keyword() of config.c
                arrays.append(_array(words))
            elif "device".startswith(keyword) and len(keyword) >= 3:
                scan.extend(map(_bare, words[1:]))
    return MdadmConf(tuple(arrays), tuple(scan), tuple(text.path for text in texts))


def _statements(text: GuestText) -> list[list[Token]]:
    found: list[list[Token]] = []
    for line in text.lines():
        words = _words(line)
        if not words:
            continue
        if line.text[0].isspace() and found:
            found[-1].extend(words)
        else:
            found.append(words)
    return found


def _words(line: Line) -> list[Token]:
    words = list(line.words(_WORD))
    comment = next((index for index, word in enumerate(words) if word.value.startswith("#")), len(words))
    return words[:comment]


def _bare(word: Token) -> Token:
    """A word without its quotes."""
    return _narrowed(word, _QUOTED.sub(r"\2", word.value))


def _narrowed(word: Token, value: str) -> Token:
    """``value`` at its place in ``word``, or at that of the whole word where quotes are in its middle."""
    where, at = word.where, word.value.find(value)
    if at < 0:
        return Token(value, where)
    return Token(value, Span(where.path, where.start + at, where.start + at + len(value), where.line, where.column + at))


def _array(words: list[Token]) -> MdArray:
    bare = [_bare(word) for word in words]
    options = {key.lower(): value for key, equals, value in (word.value.partition("=") for word in bare[1:]) if equals}
    members = next((word for word, plain in zip(words, bare, strict=True) if plain.value.lower().startswith("devices=")), None)
    where = words[0].where
    last = words[-1].where
    span = Span(where.path, where.start, last.end, where.line, where.column)
    name, uuid = options.get("name", ""), options.get("uuid", "").lower()
    return MdArray(bare[1], uuid, name, _members(members), span, options.get("super-minor", ""))


def array_names(conf: MdadmConf) -> tuple[ArrayName, ...]:
    """The names under which the arrays of ``conf`` appear: ``5`` and ``md5`` are /dev/md5, other words are in /dev/md (mdadm.conf(5))."""
    found = ((array, array.device.value) for array in conf.arrays if not array.device.value.startswith("<"))  # <ignore> is no name
    return tuple(ArrayName(_path(device), array.uuid, array.name or array.minor) for array, device in found)


def _path(device: str) -> str:
    if device.startswith("/"):
        return device
    bare = device.removeprefix("md")
    return f"/dev/md{bare}" if bare.isdecimal() else f"/dev/md/{device}"


def _members(word: Token | None) -> tuple[Token, ...]:
    if word is None:
        return ()
    found: list[Token] = []
    position = word.value.index("=") + 1
    for part in word.value[position:].split(","):
        where = word.where
        start = where.start + position
        whole = Token(part, Span(where.path, start, start + len(part), where.line, where.column + position))
        found.append(_narrowed(whole, part.strip("\"'")))
        position += len(part) + 1
    return tuple(token for token in found if token.value)
