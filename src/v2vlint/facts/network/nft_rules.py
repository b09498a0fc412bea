"""nftables' files (nft(8)), as rules for SSH's first packet over IPv4::

    table inet filter {
        chain input {
            type filter hook input priority 0; policy drop;
            iifname "ens192" tcp dport { 22, 80 } accept
        }
    }

Only rules written inside their chains are read: ``add rule`` commands, in any of the files, may change all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from v2vlint.facts.network.filter_chains import FilterAction, FilterRule
from v2vlint.facts.network.iptables_rules import ports_in
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

MAX_TEXT = 200_000
MAX_STATEMENTS = 5000
MAX_FILES = 100
MAX_TOTAL = 1_000_000
MAX_DEPTH = 16
_TOKEN = re.compile(r'"[^"\n]*"|#[^\n]*|\\\r?\n|[{}(),;\n]|[^\s{}(),;"#\\]+')
_FAMILIES = frozenset({"ip", "inet"})
_APART = frozenset({"table", "define", "redefine", "undefine", "set", "map", "element", "flowtable", "list"})
"""Statements outside of tables that change no rule; ``rule``, ``add`` and the like may, and need not be written."""
_OTHER_PROTOCOLS = frozenset({"udp", "udplite", "icmp", "icmpv6", "igmp", "sctp", "dccp", "esp", "ah", "comp", "ip6"})
_TCP = frozenset({"tcp", "6"})
_EQUAL = frozenset({"==", "!=", "eq", "ne"})
_OPERATORS = frozenset({"lt", "gt", "le", "ge", "not", "and", "or", "xor", "lshift", "rshift"})
_PART_OF_MORE = frozenset({*_OPERATORS, ".", "-", "|", "&", "^", "/", "<<", ">>"})
_BEFORE_VALUES = frozenset({*_EQUAL, *_PART_OF_MORE, "{", ",", "<", ">", "<=", ">=", "!"})
_NAME = re.compile(r"[A-Za-z][\w-]*")
_SIX_OR_NAME = re.compile(r"6|[A-Za-z][\w-]*")
_PORT = re.compile(r"\d+(?:-\d+)?|[A-Za-z]\w*")
_INTERFACE = re.compile(r"(?!\d+$)[\w*][^|&^]*")
_VERDICTS = {
    "accept": FilterAction.ACCEPT, "drop": FilterAction.REFUSE, "reject": FilterAction.REFUSE, "return": FilterAction.RETURN,
    "jump": FilterAction.JUMP, "goto": FilterAction.UNKNOWN, "queue": FilterAction.UNKNOWN,
}  # fmt: skip
_IPV4 = frozenset({"ip"})
_LISTED = {
    "ct state": frozenset({"new"}), "l4proto": _TCP, "protocol": _TCP, "nexthdr": _TCP, "nfproto": frozenset({"ipv4"}),
    "meta protocol": _IPV4, "ether type": _IPV4,
}  # fmt: skip
"""Selectors, with the values of which one must be allowed."""
_PAIRS = frozenset({("tcp", "dport"), ("th", "dport"), ("ct", "state"), ("meta", "protocol"), ("ether", "type")})
_NEUTRAL = frozenset({"counter", "log", "meta"})
_WITH_VALUE = frozenset({"packets", "bytes", "prefix", "level", "group", "flags", "comment", "snaplen", "queue-threshold"})
"""Words of statements that match every packet; the latter are followed by a value."""

Words = tuple[Token, ...]


@dataclass(frozen=True, slots=True)
class NftTable:
    """A table: the rules of its chains. ``inputs`` are those that see incoming packets, with whether their policy refuses."""

    rules: Mapping[str, tuple[FilterRule, ...]]
    inputs: tuple[tuple[str, bool], ...]


def nft_tables(path: str, read: Callable[[str], tuple[GuestText, ...] | None], ports: frozenset[int]) -> Iterator[NftTable]:
    """The tables of a file, and of those that it includes, that concern IPv4, for an SSH server on ``ports``. ``read`` gives the files of
    a path or a pattern, None when one is not readable. None if they are too many or too large (:data:`MAX_TEXT`)."""
    tables = _Loader(read)
    for (family, _name), chains in tables.found.items() if tables.load(path) else ():
        if family in _FAMILIES:
            rules = {name: tuple(rule for one in found if (rule := _rule(one, ports)) is not None) for name, found in chains.items()}
            yield NftTable(rules, tuple(_inputs(chains)))


def _inputs(chains: Mapping[str, Sequence[Words]]) -> Iterator[tuple[str, bool]]:
    for name, statements in chains.items():
        words = [[word.value for word in one] for one in statements]
        if any(one[:1] == ["type"] and "hook" in one and one[one.index("hook") + 1 :][:1] == ["input"] for one in words):
            policies = [one for one in words if one[:1] == ["policy"]]
            yield name, policies[-1:] == [["policy", "drop"]]


class _Loader:
    """The statements of every chain, by table, in the order in which nft reads the files."""

    def __init__(self, read: Callable[[str], tuple[GuestText, ...] | None]) -> None:
        self.read = read
        self.found: dict[tuple[str, str], dict[str, list[Words]]] = {}
        self.files = self.size = 0

    def load(self, pattern: str, depth: int = 0) -> bool:
        """Read these files; False if what the chains are then is not known."""
        texts = self.read(pattern)
        if texts is None or depth > MAX_DEPTH:
            return False
        return all(self._file(text, depth) for text in texts)

    def _file(self, text: GuestText, depth: int) -> bool:
        self.files += 1
        self.size += len(text.content)
        if self.files > MAX_FILES or len(text.content) > MAX_TEXT or self.size > MAX_TOTAL:
            return False
        return all(self._statement(blocks, statement, depth) for blocks, statement in _statements(text))

    def _statement(self, blocks: tuple[Words, ...], statement: Words, depth: int) -> bool:
        words = [word.value for word in statement]
        if not blocks:
            return not words or self._command(words, depth)
        head = [word.value for word in blocks[0]]
        if len(blocks) == 2 and len(blocks[1]) == 2 and blocks[1][0].value == "chain":
            table = (head[1], head[2]) if len(head) > 2 else ("ip", head[-1])
            chain = self.found.setdefault(table, {}).setdefault(blocks[1][1].value, [])
            chain += (statement,) if statement else ()
            return len(chain) <= MAX_STATEMENTS
        # What is included here may be chains.
        return len(blocks) > 1 or words[:1] != ["include"]

    def _command(self, words: Sequence[str], depth: int) -> bool:
        """A statement outside of tables."""
        if words[0] == "include" and len(words) == 2:
            return self.load(words[1], depth + 1)
        if words == ["flush", "ruleset"]:
            self.found.clear()
        elif words[:2] in (["delete", "table"], ["destroy", "table"]) and 2 < len(words) < 5:
            self.found.pop((words[2], words[3]) if len(words) > 3 else ("ip", words[2]), None)
        else:
            return words[0] in _APART
        return True


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
        if self.words[0].value == "include":
            return FilterRule(FilterAction.UNKNOWN)
        if any(word.value in ("vmap", "map") for word in self.words):
            return self.mapped()
        while self.at < len(self.words) and self.matches and self.action is None:
            self.step(self.next())
        if not self.matches or self.action is None:
            return None
        return FilterRule(self.action, tuple(self.names), self.sure, self.chain)

    def mapped(self) -> FilterRule | None:
        """A verdict map. Of the state of connections, only what it says of new ones counts."""
        words = " ".join(word.value for word in self.words).replace(":", " ").split()
        plain = all(_NAME.fullmatch(word) or word in ("{", "}", ",") for word in words)
        if words[:3] == ["ct", "state", "vmap"] and plain and "new" not in words:
            return None
        admits = any(word in ("accept", "jump", "goto", "queue") or word[:1] in "@$" for word in words)
        return FilterRule(FilterAction.UNKNOWN) if admits else None

    def next(self) -> str:
        """The next word."""
        self.at += 1
        return self.words[self.at - 1].value

    def values(self, known: re.Pattern[str]) -> tuple[Words, bool] | None:
        """The value after a selector, or the elements of its set; whether it is inverted. None, and the rule is not sure, when they
        are not all ``known``: variables, other operators, concatenations and flags."""
        inverted = False
        while self.at < len(self.words) and self.words[self.at].value in _EQUAL:
            inverted = self.next() in ("!=", "ne")
        found: list[Token] = []
        depth, last, plain = 0, ",", True
        while self.at < len(self.words):
            word = self.words[self.at]
            self.at += 1
            depth += (word.value == "{") - (word.value == "}")
            if word.value not in ("{", "}", ","):
                plain = plain and last in ("{", ",")
                found.append(word)
            last = word.value
            if depth <= 0 and "," not in (last, self.following()):
                break
        plain = plain and bool(found) and self.following() not in _PART_OF_MORE
        if not plain or any(not known.fullmatch(one.value) or one.value in _OPERATORS for one in found):
            self.sure = False
            return None
        return tuple(found), inverted

    def following(self) -> str:
        """The word after those that are read."""
        return self.words[self.at].value if self.at < len(self.words) else ""

    def step(self, word: str) -> None:
        """One selector with its value, or one statement."""
        before = self.words[self.at - 2].value if self.at > 1 else ""
        if (word, self.following()) in _PAIRS:
            word = f"{word} {self.next()}"
        match word:
            case "iif" | "iifname":
                self.interface()
            case "tcp dport" | "th dport":
                self.port()
            case _ if word in _LISTED:
                self.listed(_LISTED[word])
            case _ if word in _OTHER_PROTOCOLS and before not in _BEFORE_VALUES:
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
        read = self.values(_INTERFACE)
        if read is None:
            return
        values, inverted = read
        outside = [value for value in values if value.value != "lo"]
        if inverted and outside:
            self.sure = False
        elif not inverted:
            self.matches = bool(outside)
            self.names += outside

    def port(self) -> None:
        """``dport`` with a number, a range, a service, a set or a variable."""
        read = self.values(_PORT)
        if read is None:
            return
        values, inverted = read
        meant = [ports_in(value.value, self.ports) for value in values]
        if None in meant:
            self.sure = False
            return
        held = frozenset(port for ports in meant if ports is not None for port in ports)
        self.matches = bool(self.ports - held) if inverted else bool(held)
        self.sure = self.sure and (not held if inverted else held == self.ports)

    def listed(self, wanted: frozenset[str]) -> None:
        """A selector that must have one of the values ``wanted``."""
        read = self.values(_SIX_OR_NAME)
        if read is not None:
            values, inverted = read
            self.matches = any(value.value in wanted for value in values) != inverted
