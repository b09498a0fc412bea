"""nftables' files (nft(8)), as rules for SSH's first packet over IPv4::

    table inet filter {
        chain input {
            type filter hook input priority 0; policy drop;
            iifname "ens192" tcp dport { 22, 80 } accept
        }
    }

Only rules written inside their chains are read: a file with ``add rule`` commands may change any of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from v2vlint.facts.network.filter_chains import FilterAction, FilterRule
from v2vlint.facts.network.iptables_rules import has_port
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAX_TEXT = 200_000
MAX_STATEMENTS = 5000
_TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|\\\r?\n|[{}(),;\n]|[^\s{}(),;"#\\]+')
_FAMILIES = frozenset({"ip", "inet"})
_COMMANDS = frozenset({"add", "insert", "replace", "rule", "create"})
_OTHER_PROTOCOLS = frozenset({"udp", "udplite", "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah", "comp", "ip6"})
_TCP = frozenset({"tcp", "6"})
_VERDICTS = {
    "accept": FilterAction.ACCEPT, "drop": FilterAction.REFUSE, "reject": FilterAction.REFUSE, "return": FilterAction.RETURN,
    "jump": FilterAction.JUMP, "goto": FilterAction.UNKNOWN, "queue": FilterAction.UNKNOWN,
}  # fmt: skip
_LISTED = {"ct state": frozenset({"new"}), "l4proto": _TCP, "protocol": _TCP, "nexthdr": _TCP, "nfproto": frozenset({"ipv4"})}
"""Selectors, with the values of which one must be allowed."""
_NEUTRAL = frozenset({"counter", "log", "meta"})
_WITH_VALUE = frozenset({"packets", "bytes", "prefix", "level", "group", "flags", "comment", "snaplen", "queue-threshold"})
"""Words of statements that match every packet; the latter are followed by a value."""

Words = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class NftTable:
    """A table: the rules of its chains. ``inputs`` are those that see incoming packets, with whether their policy refuses."""

    rules: Mapping[str, tuple[FilterRule, ...]]
    inputs: tuple[tuple[str, bool], ...]


def nft_tables(text: GuestText, ports: frozenset[int]) -> Iterator[NftTable]:
    """The tables of a file that concern IPv4, for an SSH server on ``ports``; none if the file is larger than :data:`MAX_TEXT`."""
    tables = _tables(text) if len(text.content) <= MAX_TEXT else {}
    for (family, _name), chains in tables.items():
        if family in _FAMILIES:
            rules = {name: tuple(rule for one in found if (rule := _rule(one, ports)) is not None) for name, found in chains.items()}
            yield NftTable(rules, tuple(_inputs(chains)))


def _inputs(chains: Mapping[str, Sequence[Words]]) -> Iterator[tuple[str, bool]]:
    for name, statements in chains.items():
        words = [[word.value for word in one] for one in statements]
        if any(one[:1] == ["type"] and "hook" in one and one[one.index("hook") + 1 :][:1] == ["input"] for one in words):
            yield name, ["policy", "drop"] in words


def _tables(text: GuestText) -> dict[tuple[str, str], dict[str, list[Words]]]:
    """The statements of every chain, by table; empty if commands change them."""
    found: dict[tuple[str, str], dict[str, list[Words]]] = {}
    for blocks, statement in _statements(text):
        head = [word.value for word in blocks[0]] if blocks else []
        if not blocks and statement and statement[0].value in _COMMANDS:
            return {}
        if len(blocks) != 2 or len(blocks[1]) != 2 or head[:1] != ["table"]:
            continue
        table = (head[1], head[2]) if len(head) > 2 else ("ip", head[-1])
        kind, name = (word.value for word in blocks[1])
        if kind == "chain":
            chain = found.setdefault(table, {}).setdefault(name, [])
            if statement and len(chain) < MAX_STATEMENTS:
                chain.append(statement)
    return found


def _statements(text: GuestText) -> Iterator[tuple[tuple[Words, ...], Words]]:
    """Each statement with the headers of the blocks around it; each block once with an empty one. A set is part of its statement."""
    blocks: list[Words] = []
    words: list[Token] = []
    inner = 0
    for match in _TOKEN.finditer(text.content):
        what = match[0]
        if what[0] in "#\\" or (inner and what == "\n"):
            continue
        if what == "{" and not inner and _opens_block(blocks, words):
            blocks.append(tuple(words))
            words = []
            yield tuple(blocks), ()
        elif what == "}" and not inner:
            yield tuple(blocks), tuple(words)
            words = []
            blocks = blocks[:-1]
        elif what in ("\n", ";") and not inner:
            yield tuple(blocks), tuple(words)
            words = []
        else:
            inner += (what in "{(") - (what in "})")
            quoted = what.startswith('"')
            words.append(text.token(match.start() + quoted, match.end() - quoted))


def _opens_block(blocks: Sequence[Words], words: Sequence[Token]) -> bool:
    if not blocks:
        return bool(words) and words[0].value == "table"
    return len(blocks) == 1 and bool(words)


def _rule(words: Words, ports: frozenset[int]) -> FilterRule | None:
    """The rule for SSH's first packet; None when it does not match that, or does nothing with it."""
    return _Reader(words, ports).rule()


class _Reader:
    def __init__(self, words: Words, ports: frozenset[int]) -> None:
        self.words, self.ports, self.at = words, ports, 0
        self.names: list[Token] = []
        self.sure, self.matches = True, True
        self.action: FilterAction | None = None
        self.chain = ""

    def rule(self) -> FilterRule | None:
        """Read the statement from left to right."""
        if self.words[0].value in ("type", "policy", "comment", "flags"):
            return None
        if any(word.value in ("vmap", "map") for word in self.words):
            return self.mapped()
        while self.at < len(self.words) and self.matches and self.action is None:
            self.step(self.next())
        if not self.matches or self.action is None:
            return None
        return FilterRule(self.action, tuple(self.names), self.sure, self.chain)

    def mapped(self) -> FilterRule | None:
        """A verdict map. Of the state of connections, only what it says of new ones counts."""
        words = [word.value for word in self.words]
        if words[:3] == ["ct", "state", "vmap"] and "new" not in words and "$" not in "".join(words) and not words[3].startswith("@"):
            return None
        admits = any(word in ("accept", "jump", "goto", "queue") or word[:1] in "@$" for word in words)
        return FilterRule(FilterAction.UNKNOWN) if admits else None

    def next(self) -> str:
        """The next word."""
        self.at += 1
        return self.words[self.at - 1].value

    def values(self) -> tuple[Words, bool]:
        """The value after a selector, or the elements of its set; whether it is inverted."""
        inverted = False
        while self.at < len(self.words) and self.words[self.at].value in ("==", "!=", "eq", "ne"):
            inverted = self.next() in ("!=", "ne")
        found: list[Token] = []
        depth = 0
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            depth += (word.value == "{") - (word.value == "}")
            found += () if word.value in ("{", "}", ",") else (word,)
            if depth <= 0 and not (self.at < len(self.words) and self.words[self.at].value == ","):
                break
        return tuple(found), inverted

    def step(self, word: str) -> None:
        """One selector with its value, or one statement."""
        if self.at < len(self.words) and (word, self.words[self.at].value) in (("tcp", "dport"), ("th", "dport"), ("ct", "state")):
            word = f"{word} {self.next()}"
        match word:
            case "iif" | "iifname":
                self.interface()
            case "tcp dport" | "th dport":
                self.port()
            case _ if word in _LISTED:
                self.listed(_LISTED[word])
            case _ if word in _OTHER_PROTOCOLS:
                self.matches = False
            case _:
                self.statement(word)

    def statement(self, word: str) -> None:
        """A verdict, or a word of another statement."""
        self.action = _VERDICTS.get(word)
        if word == "jump" and self.at < len(self.words):
            self.chain = self.next()
        elif word in _WITH_VALUE:
            self.at += 1
        elif self.action is None and word not in _NEUTRAL:
            self.sure = False

    def interface(self) -> None:
        """``iifname`` with a name or a set; the loopback interface sees nothing from outside."""
        values, inverted = self.values()
        outside = [value for value in values if value.value != "lo"]
        if any(value.value[:1] in "$@" for value in values) or (inverted and outside):
            self.sure = False
        elif not inverted:
            self.matches = bool(outside)
            self.names += outside

    def port(self) -> None:
        """``dport`` with a number, a range, a service, a set or a variable."""
        values, inverted = self.values()
        words = [value.value for value in values]
        if any(word[:1] in "$@" for word in words):
            self.sure = False
            return
        held = frozenset(port for port in self.ports if any(has_port(word, port) for word in words))
        self.matches = bool(self.ports - held) if inverted else bool(held)
        self.sure = self.sure and (not held if inverted else held == self.ports)

    def listed(self, wanted: frozenset[str]) -> None:
        """A selector that must have one of the values ``wanted``."""
        values, inverted = self.values()
        words = {value.value for value in values}
        if any(word[:1] in "$@" for word in words):
            self.sure = False
        else:
            self.matches = bool(words & wanted) != inverted
