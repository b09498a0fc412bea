"""Where OpenSSH's server listens (sshd_config(5)), and the sockets by which systemd starts it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from v2vlint.facts.environment.services import Services, starts_if_there
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.facts.syntax.ini import ini_from, words_of
from v2vlint.facts.syntax.layers import SYSTEMD, drop_ins
from v2vlint.guest.fs import GuestFS
from v2vlint.model.place import Token

PATH = "/etc/ssh/sshd_config"
MAX_DEPTH = 4
MAX_FILES = 100
_UNITS = tuple(f"{folder}/system" for folder in SYSTEMD)


@dataclass(frozen=True, slots=True)
class Sshd:
    """``listen`` are the addresses that sshd binds to, without ports; none means all. ``devices`` are interfaces that its socket is bound
    to. ``starts`` is None when it cannot be told."""

    listen: tuple[Token, ...] = ()
    devices: tuple[Token, ...] = ()
    starts: bool | None = None


@provides
def parse_sshd(fs: GuestFS, services: Services) -> Sshd:
    """The settings outside of ``Match`` blocks, includes followed; a socket unit's take their place where it is enabled."""
    by_socket = bool(services.starts("ssh.socket", "sshd.socket"))
    files: list[str] = []
    listen = tuple(_sockets(fs, "ListenStream")) if by_socket else tuple(_listen(fs, PATH, 0, files))
    starts = starts_if_there(fs, services, "sshd", "ssh", "ssh.socket", "sshd.socket")
    return Sshd(listen, tuple(_sockets(fs, "BindToDevice")) if by_socket else (), starts)


def _listen(fs: GuestFS, path: str, depth: int, files: list[str]) -> Iterator[Token]:
    text = fs.text(path) if depth <= MAX_DEPTH and len(files) < MAX_FILES else None
    if text is None:
        return
    files.append(path)
    for line in text.lines():
        words = line.words()
        if line.is_blank() or len(words) < 2:
            continue
        keyword = words[0].value.lower()
        if keyword == "match":
            return
        if keyword == "listenaddress":
            yield _address(words[1])
        for pattern in words[1:] if keyword == "include" else ():
            for found in fs.glob(pattern.value if pattern.value.startswith("/") else f"/etc/ssh/{pattern.value}"):
                yield from _listen(fs, found, depth + 1, files)


def _address(word: Token) -> Token:
    """The address of ``192.0.2.5``, ``192.0.2.5:22``, ``[2001:db8::5]:22``."""
    value = word.value
    if value.startswith("["):
        return slice_token(word, 1, value.find("]") if "]" in value else len(value))
    return slice_token(word, 0, value.index(":")) if value.count(":") == 1 else word


def _sockets(fs: GuestFS, key: str) -> Iterator[Token]:
    for name in ("ssh.socket", "sshd.socket"):
        for path in drop_ins(fs, _UNITS, name):
            text = fs.text(path)
            for value in ini_from(text).all("Socket", key) if text is not None else ():
                yield from (_address(word) for word in words_of(value) if not word.value.isdecimal() and not word.value.startswith("/"))
