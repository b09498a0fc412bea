"""Saved iptables rules (iptables-save(8)), as rules for SSH's first packet::

*filter
:INPUT DROP [0:0]
-A INPUT -i ens192 -p tcp -m tcp --dport 22 -j ACCEPT
COMMIT
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from v2vlint.facts.network.filter_chains import FilterAction, FilterRule
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.guest.text import GuestText, Line
from v2vlint.model.dataclass import dataclass
from v2vlint.model.digits import decimal
from v2vlint.model.place import Token

MAX_RULES = 5000
MAX_PORT = 65535
_SSH_PORT = 22
_RULE = re.compile(r"\s*(?:\[\d+:\d+\]\s+)?(?:-A|--append)\s+(?P<chain>\S+)(?:\s|$)")
_UNREAD = re.compile(r"\s*(?:\[\d+:\d+\]\s+)?-(?!N\s|-new-chain\s)")
_ATTACHED = re.compile(r"-\w\S|--[\w-]+=")
_POLICY = re.compile(r":(?P<chain>\S+)\s+(?P<policy>\w+)")
_PORT = re.compile(r"0|[1-9]\d*|(?:0|[1-9]\d*)?(?P<dash>[:-])(?:0|[1-9]\d*)?")
_ANY_TCP = frozenset({"tcp", "6", "all", "ip", "0"})
_WORD = re.compile(r'"(?:[^"\\]|\\.)*"|\S+')
_SHORT = {
    "--in-interface": "-i", "--jump": "-j", "--goto": "-g", "--protocol": "-p", "--proto": "-p", "--match": "-m", "--state": "--ctstate",
    "--destination-port": "--dport", "--destination-ports": "--dport", "--dports": "--dport",
}  # fmt: skip
_TESTED = frozenset({"-i", "-p", "--dport", "--ctstate"})
_PLAIN_MATCHES = frozenset({"tcp", "comment", "state", "conntrack", "multiport"})
_ACTIONS = {"ACCEPT": FilterAction.ACCEPT, "DROP": FilterAction.REFUSE, "REJECT": FilterAction.REFUSE, "RETURN": FilterAction.RETURN}
_PASSING = frozenset(
    {"LOG", "NFLOG", "ULOG", "MARK", "CONNMARK", "CONNSECMARK", "SECMARK", "SET", "AUDIT", "TRACE", "TCPMSS", "CLASSIFY", "LED"}
)
"""Targets after which the next rule is tried."""


@dataclass(frozen=True, slots=True)
class SavedChains:
    """The chains of the table ``filter``; ``closed`` are those whose policy refuses."""

    rules: Mapping[str, tuple[FilterRule, ...]]
    closed: frozenset[str]


def saved_chains(text: GuestText, ports: frozenset[int]) -> SavedChains:
    """Read saved rules for an SSH server on ``ports``. Rules beyond :data:`MAX_RULES` count as one that may do anything. There are no
    chains when a line may change all of them: -I, -P, -R and the like, which iptables-save does not write."""
    chains: dict[str, list[FilterRule]] = {}
    closed: set[str] = set()
    table, count = "filter", 0
    for line in text.lines():
        if line.text.startswith("*"):
            table = line.text[1:].strip()
            if table == "filter":  # a second time: it starts anew
                chains, closed = {}, set()
        elif table != "filter":
            continue
        elif policy := _POLICY.match(line.text):
            chains.setdefault(policy["chain"], [])
            closed = closed - {policy["chain"]} | ({policy["chain"]} if policy["policy"] in ("DROP", "REJECT") else set())
        elif rule := _RULE.match(line.text):
            count += 1
            found = _rules(line, rule.end(), ports) if count <= MAX_RULES else [FilterRule(FilterAction.UNKNOWN)]
            chains.setdefault(rule["chain"], []).extend(found)
        elif _UNREAD.match(line.text):
            return SavedChains({}, frozenset())
    return SavedChains({name: tuple(rules) for name, rules in chains.items()}, frozenset(closed))


@dataclass(frozen=True, slots=True)
class _Option:
    name: str
    value: Token
    inverted: bool


def _rules(line: Line, start: int, ports: frozenset[int]) -> Iterator[FilterRule]:
    options = list(_options(line, start))
    if any(_ATTACHED.match(one.name) for one in options):
        yield FilterRule(FilterAction.UNKNOWN)
        return
    jumps = [one for one in options if one.name in ("-j", "-g")]
    if not jumps or not all(_may_match(one, ports) for one in options):
        return
    jump = jumps[-1]
    others = [one for one in options if one.name not in (*_TESTED, "-j", "-g", "--comment", "--reject-with")]
    plain = all(one.name == "-m" and one.value.value in _PLAIN_MATCHES for one in others)
    sure = plain and all(_certain(one, ports) for one in options)
    names = tuple(one.value for one in options if one.name == "-i" and not one.inverted)
    action = FilterAction.UNKNOWN if jump.name == "-g" else _ACTIONS.get(jump.value.value, FilterAction.JUMP)
    if jump.value.value not in _PASSING:
        yield FilterRule(action, names, sure, jump.value.value)


def _options(line: Line, start: int) -> Iterator[_Option]:
    """The options with their first argument. ``!`` stands before the option, or in old versions before the argument."""
    words = [line.token(start + match.start(), start + match.end()) for match in _WORD.finditer(line.text[start:])]
    inverted, at = False, 0
    while at < len(words):
        name, at = words[at], at + 1
        if name.value == "!":
            inverted = True
        elif name.value.startswith("-"):
            within = words[at : at + 1] and words[at].value == "!"
            at += bool(within)
            value = _unquoted(words[at]) if at < len(words) else Token("", name.where)
            yield _Option(_SHORT.get(name.value, name.value), value, inverted or bool(within))
            inverted = False


def _unquoted(word: Token) -> Token:
    quoted = len(word.value) > 1 and word.value[0] == word.value[-1] == '"'
    return slice_token(word, 1, len(word.value) - 1) if quoted else word


def _may_match(option: _Option, ports: frozenset[int]) -> bool:
    """Whether the option lets the first packet of a connection to one of ``ports`` pass, if it comes from another machine."""
    words = option.value.value.split(",")
    match option.name:
        case "-p":
            return _is_strange(words[0]) or (words[0].lower() in _ANY_TCP) != option.inverted
        case "-i":
            return words != ["lo"] or option.inverted
        case "--ctstate":
            return ("NEW" in option.value.value.upper().split(",")) != option.inverted
        case "--dport":
            held = _held(words, ports)
            return held is None or bool(ports - held if option.inverted else held)
        case _:
            return True


def _certain(option: _Option, ports: frozenset[int]) -> bool:
    """Whether an option that may match such packets matches all of them, for -i: all on this interface."""
    if option.inverted:
        return option.name == "-i" and option.value.value == "lo"
    words = option.value.value.split(",")
    return not (option.name == "-p" and _is_strange(words[0])) and (option.name != "--dport" or _held(words, ports) == ports)


def _is_strange(protocol: str) -> bool:
    """Whether it is a number that is not decimal."""
    return protocol[:1] == "0" and protocol != "0"


def _held(words: Sequence[str], ports: frozenset[int]) -> frozenset[int] | None:
    meant = [ports_in(word, ports) for word in words]
    return None if None in meant else frozenset(port for found in meant if found is not None for port in found)


def ports_in(text: str, ports: frozenset[int]) -> frozenset[int] | None:
    """Those of ``ports`` that a word means: a number, a range (``20:25``, ``20-25``, ``1024:``) or a service. None when it is not known:
    numbers that are not decimal, and what services other than SSH have an SSH server's port if that is not 22."""
    if text == "ssh" or (text[:1].isalpha() and text.isalnum() and ports <= {_SSH_PORT}):
        return ports & {_SSH_PORT} if text == "ssh" else frozenset()
    match = _PORT.fullmatch(text)
    if match is None or not text:
        return None
    if not match["dash"]:
        return ports & {decimal(text)}
    low, _dash, high = text.partition(match["dash"])
    return frozenset(port for port in ports if decimal(low or "0") <= port <= decimal(high or str(MAX_PORT)))
