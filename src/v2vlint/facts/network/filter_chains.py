"""Chains of packet filter rules, reduced to one question: on which interfaces do they admit the first packet of an SSH connection?"""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence

from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAX_DEPTH = 32
MAX_NAMES = 500


class FilterAction(enum.Enum):
    """What a rule does with the packets that it matches; UNKNOWN may be anything."""

    ACCEPT = "accept"
    REFUSE = "refuse"
    RETURN = "return"
    JUMP = "jump"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class FilterRule:
    """A rule that may match such a packet. ``names`` are the interfaces that it is limited to, empty for any. ``sure``: it matches all of
    these packets on them. ``chain`` is where it jumps."""

    action: FilterAction
    names: tuple[Token, ...] = ()
    sure: bool = False
    chain: str = ""


class _End(enum.Enum):
    ANYWHERE = "admitted whatever the interface, or not known"
    REFUSED = "what is not admitted on certain interfaces is refused"
    OPEN = "what is not admitted on certain interfaces goes on"


@dataclass(frozen=True, slots=True)
class _Passage:
    end: _End
    names: tuple[Token, ...] = ()


def admitted(chains: Mapping[str, Sequence[FilterRule]], top: str, *, closed: bool) -> tuple[Token, ...] | None:
    """The interfaces on which the chain ``top`` admits SSH, when it refuses it on all others; else None. ``closed`` is its policy."""
    passage = _Walk(chains).passage(top, 0)
    refuses = passage.end is _End.REFUSED or (passage.end is _End.OPEN and closed)
    return passage.names if refuses else None


class _Walk:
    def __init__(self, chains: Mapping[str, Sequence[FilterRule]]) -> None:
        self.chains = chains
        self.known: dict[str, _Passage] = {}

    def passage(self, chain: str, depth: int) -> _Passage:
        if chain not in self.known:
            # Neither a chain that leads back to itself nor a target that is no chain is understood.
            self.known[chain] = _Passage(_End.ANYWHERE)
            if chain in self.chains and depth < MAX_DEPTH:
                self.known[chain] = self._walked(chain, depth)
        return self.known[chain]

    def _walked(self, chain: str, depth: int) -> _Passage:
        names: list[Token] = []
        for rule in self.chains[chain]:
            end = self._step(rule, names, depth)
            names = list(dict.fromkeys(names)) if rule.action is FilterAction.JUMP else names
            if len(names) > MAX_NAMES:
                return _Passage(_End.ANYWHERE)
            if end is not None:
                return _Passage(end, tuple(names))
        return _Passage(_End.OPEN, tuple(names))

    def _step(self, rule: FilterRule, names: list[Token], depth: int) -> _End | None:
        """How the chain ends at this rule, if it does; the interfaces on which the rule admits are added to ``names``."""
        everywhere = rule.sure and not rule.names
        if rule.action is FilterAction.JUMP:
            return self._jump(rule, names, depth)
        if rule.action is FilterAction.ACCEPT and rule.names:
            names += rule.names
            return None
        if rule.action is FilterAction.REFUSE:
            return _End.REFUSED if everywhere else None
        # A return under conditions leads to rules that may admit more.
        return _End.OPEN if rule.action is FilterAction.RETURN and everywhere else _End.ANYWHERE

    def _jump(self, rule: FilterRule, names: list[Token], depth: int) -> _End | None:
        inner = self.passage(rule.chain, depth + 1)
        if rule.names:
            names += rule.names if inner.end is _End.ANYWHERE else _on_both(rule.names[: MAX_NAMES + 1], inner.names)
            return None
        names += inner.names
        if inner.end is _End.ANYWHERE:
            return inner.end
        return _End.REFUSED if inner.end is _End.REFUSED and rule.sure else None


def _on_both(outer: Sequence[Token], inner: Sequence[Token]) -> list[Token]:
    """The interfaces that are meant by a name of each: the narrower of the two."""
    pairs = ((one, other) for other in inner for one in outer)
    return [other if _means(one, other) else one for one, other in pairs if _means(one, other) or _means(other, one)]


def _means(name: Token, other: Token) -> bool:
    """Whether all interfaces of the name ``other`` are also those of ``name``, which may end in a wildcard."""
    wild = name.value.endswith(("+", "*"))
    return other.value.startswith(name.value[:-1]) if wild else other.value == name.value
