"""``/etc/crypttab`` (crypttab(5))::

root_crypt  UUID=4a2e…  none            luks,discard,initramfs
swap        /dev/sda3   /dev/urandom    swap,cipher=aes-xts-plain64
"""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Span, Token, WholeFile

PATH = "/etc/crypttab"
_RANDOM = frozenset({"/dev/urandom", "/dev/random", "/dev/hw_random", "/dev/hwrng"})


@dataclass(frozen=True, slots=True)
class CrypttabEntry:
    """One mapping: /dev/mapper/``name`` from ``source``. ``key`` is ``none`` when a passphrase is asked for."""

    name: Token
    source: Token
    key: str
    options: tuple[str, ...]
    where: Span

    @property
    def device(self) -> str:
        """The source without quotes: ``UUID=…``, ``/dev/sda3``."""
        tag, equals, value = self.source.value.partition("=")
        return f"{tag}={value.strip(chr(34))}" if equals and not tag.startswith("/") else self.source.value

    @property
    def has_random_key(self) -> bool:
        """Whether it is set up with a new random key at every boot, which destroys the data on the device."""
        return self.key in _RANDOM

    @property
    def is_optional(self) -> bool:
        """Whether boot does not wait for it."""
        return bool({"nofail", "noauto"} & set(self.options))

    def option(self, name: str) -> str | None:
        """The value of option ``name`` (empty for a flag), or None."""
        for option in self.options:
            key, _, value = option.partition("=")
            if key == name:
                return value
        return None


@dataclass(frozen=True, slots=True)
class Crypttab:
    """All entries in file order; invalid lines are kept in ``malformed``."""

    entries: tuple[CrypttabEntry, ...] = ()
    malformed: tuple[Span, ...] = ()
    where: WholeFile = WholeFile(PATH)

    def entry(self, name: str) -> CrypttabEntry | None:
        """The entry for /dev/mapper/``name``."""
        return next((entry for entry in self.entries if entry.name.value == name), None)


@provides
def parse_crypttab(fs: GuestFS) -> Crypttab:
    """The guest's crypttab. A missing file counts as empty."""
    text = fs.text(PATH)
    return Crypttab() if text is None else crypttab_from(text)


def crypttab_from(text: GuestText) -> Crypttab:
    """Parse the text of a crypttab."""
    lines = [line for line in text.lines() if not line.is_blank()]
    entries = [(line, _entry(line)) for line in lines]
    return Crypttab(
        tuple(entry for _line, entry in entries if entry),
        tuple(line.where for line, entry in entries if entry is None),
    )


def _entry(line: Line) -> CrypttabEntry | None:
    words = line.words()
    if len(words) < 2:
        return None
    key = words[2].value if len(words) > 2 else "none"
    options = tuple(words[3].value.split(",")) if len(words) > 3 else ()
    return CrypttabEntry(words[0], words[1], "none" if key == "-" else key, options, line.where)
