"""The algebra of matches: which cards of the target satisfy a configuration's conditions.

All managers can be expressed this way. A match is a list of conditions joined by AND. A condition has one key and a list of terms: every
*mandatory* term must hold, and one of the others; ``!`` inverts. This is the rule of NetworkManager's ``[match]`` (nm-core-utils.c,
``nm_wildcard_match_check``); in systemd's (net-condition.c, ``net_condition_test_strv``) every inverted term is mandatory, and
netplan's and udev's lists have alternatives only.
"""

from __future__ import annotations

import enum
import fnmatch
from collections.abc import Iterable

from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.model.dataclass import dataclass
from v2vlint.model.mac import plain_mac
from v2vlint.model.place import Token

MAX_PATTERN = 200


class Survival(enum.IntEnum):
    """Whether something still works on the target: certainly not, perhaps, certainly. Minimum is AND, maximum is OR."""

    LOST = 0
    UNSURE = 1
    KEPT = 2


class MatchKey(enum.StrEnum):
    """The property of a card that a condition tests.

    ANY_NAME includes alternative names, as in networkd: one match is enough, for ``!`` as well. KERNEL_NAME is the name before udev
    renames it; PATH is udev's ``ID_PATH`` (``pci-0000:00:03.0``), PARENT the name of a device above the card (``0000:00:03.0``).
    OTHER stands for anything that cannot be evaluated here.
    """

    NAME = "name"
    ANY_NAME = "name or alternative name"
    KERNEL_NAME = "kernel name"
    MAC = "MAC address"
    DRIVER = "driver"
    PATH = "path"
    PARENT = "parent"
    TYPE = "type"
    KIND = "kind"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Term:
    """One pattern with shell wildcards. ``value`` has the place of the pattern only."""

    value: Token
    inverted: bool = False
    mandatory: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """Terms for one key; without terms it holds."""

    key: MatchKey
    terms: tuple[Term, ...]

    @property
    def wanted(self) -> tuple[Token, ...]:
        """The patterns that are not inverted."""
        return tuple(term.value for term in self.terms if not term.inverted)

    @property
    def said(self) -> tuple[Token, ...]:
        """The patterns that decide: the wanted ones, or if there are none the inverted ones."""
        return self.wanted or tuple(term.value for term in self.terms)

    def holds_for(self, value: str) -> bool:
        """Whether a card with this value satisfies the condition."""
        hits = [(term, _hit(self.key, term.value.value, value) != term.inverted) for term in self.terms]
        optional = [hit for term, hit in hits if not term.mandatory]
        return all(hit for term, hit in hits if term.mandatory) and (not optional or any(optional))


Match = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Card:
    """A card as the target may present it. ``names`` are its possible names there.

    ``drivers`` are the names of its driver; ``at`` is the PCI address, empty on other buses, None when any is possible. ``known`` are
    names that nothing in the guest explains; they are assumed to persist. ``altnames`` are its alternative names.
    ``same_place``: the card sits where it sat on the source.
    """

    names: tuple[str, ...]
    kernel_name: str = "eth0"
    drivers: tuple[str, ...] = ()
    at: str | None = None
    mac: str = ""
    known: frozenset[str] = frozenset()
    altnames: tuple[str, ...] = ()
    same_place: bool = False


def any_of(key: MatchKey, tokens: Iterable[Token]) -> Match:
    """A condition satisfied by any of these values; no condition without tokens."""
    terms = tuple(map(Term, tokens))
    return (Condition(key, terms),) if terms else ()


def systemd_terms(tokens: Iterable[Token]) -> tuple[Term, ...]:
    """Words of a systemd ``[Match]`` setting: ``!`` inverts, and an inverted word excludes regardless of the others."""
    return tuple(_stripped(token, mandatory=True) if token.value.startswith("!") else Term(token) for token in tokens)


def nm_term(token: Token) -> Term:
    """An element of NetworkManager's ``[match]``: ``|`` makes it an alternative, ``&`` mandatory, ``!`` inverts (mandatory by default)."""
    mark = token.value[:1] if token.value[:1] in ("|", "&") else ""
    rest = _cut(token, 1) if mark else token
    inverted = rest.value.startswith("!")
    return Term(_cut(rest, 1) if inverted else rest, inverted, mandatory=mark == "&" or (inverted and mark != "|"))


def _stripped(token: Token, mandatory: bool) -> Term:
    return Term(_cut(token, 1), inverted=True, mandatory=mandatory)


def _cut(token: Token, size: int) -> Token:
    return slice_token(token, size, len(token.value))


def fits(match: Match, card: Card) -> Survival:
    """Whether ``card`` satisfies every condition."""
    return min((_fits(condition, card) for condition in match), default=Survival.KEPT)


def _fits(condition: Condition, card: Card) -> Survival:
    if card.same_place and condition.key in (MatchKey.NAME, MatchKey.ANY_NAME, MatchKey.KERNEL_NAME, MatchKey.PATH, MatchKey.PARENT):
        return Survival.KEPT
    if condition.key in (MatchKey.NAME, MatchKey.ANY_NAME) and card.known & {token.value for token in condition.wanted}:
        return Survival.KEPT
    values = _values(condition.key, card)
    if values is None:
        return _without_place(condition)
    hits = [
        any(condition.holds_for(one) for one in (value.split() if condition.key is MatchKey.ANY_NAME else (value,))) for value in values
    ]
    return Survival.KEPT if all(hits) else Survival.UNSURE if any(hits) else Survival.LOST


def _values(key: MatchKey, card: Card) -> tuple[str, ...] | None:
    """The possible values of ``key`` for the card; None when they are not known."""
    if key is MatchKey.DRIVER:
        return None if not card.drivers else (" ".join(card.drivers),)
    if key in (MatchKey.PATH, MatchKey.PARENT):
        return None if card.at is None else (f"pci-{card.at}" if key is MatchKey.PATH and card.at else card.at,)
    if key is MatchKey.ANY_NAME:
        return tuple(" ".join((name, *card.altnames)) for name in card.names)
    known = {
        MatchKey.NAME: card.names,
        MatchKey.KERNEL_NAME: (card.kernel_name,),
        MatchKey.MAC: (card.mac,),
        MatchKey.TYPE: ("ether",),
        MatchKey.KIND: ("",),
    }
    return known.get(key)


def _without_place(condition: Condition) -> Survival:
    """The answer when the card's value is not known: it may have the PCI address in question, but not one of another bus."""
    if condition.key is MatchKey.OTHER or not condition.wanted:
        return Survival.UNSURE
    sample = "pci-0000:00:07.0" if condition.key is MatchKey.PATH else "0000:00:07.0"
    possible = [_hit(condition.key, token.value, sample) or _is_pci(token.value) for token in condition.wanted]
    return Survival.UNSURE if any(possible) else Survival.LOST


def _is_pci(pattern: str) -> bool:
    head = pattern.removeprefix("pci-")
    return head[:5].count(":") == 1 and head[:4].isalnum()  # begins with a domain of four digits: 0000:00:03.0


def _hit(key: MatchKey, pattern: str, value: str) -> bool:
    # The pattern is the guest's, and one with many wildcards takes long to match.
    if len(pattern) > MAX_PATTERN:
        return False
    if key is MatchKey.KIND and not value:
        return False  # a card has no kind, and no pattern matches that, not even "*"
    if key is MatchKey.MAC:
        return fnmatch.fnmatchcase(value.lower(), plain_mac(pattern))
    if key is MatchKey.DRIVER:
        return any(fnmatch.fnmatchcase(one, wanted) for one in value.split() for wanted in (pattern, pattern.replace("-", "_")))
    return fnmatch.fnmatchcase(value, pattern)
