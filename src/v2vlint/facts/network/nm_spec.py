"""Lists of devices in NetworkManager's settings (NetworkManager.conf(5), "Device List Format")::

unmanaged-devices=interface-name:veth*;driver:virtio_net;except:mac:00:22:68:1c:59:b1
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterator
from dataclasses import replace

from v2vlint.facts.network.interface import is_mac
from v2vlint.facts.network.match import Condition, Match, MatchKey, Term
from v2vlint.facts.syntax.edit_lines import slice_token
from v2vlint.model.place import Token

MAX_WORDS = 64
_WORD = re.compile(r"[^,;\s]+")
_KEYS = {
    "interface-name:": MatchKey.NAME, "driver:": MatchKey.DRIVER, "mac:": MatchKey.MAC, "type:": MatchKey.TYPE,
}  # fmt: skip
_OTHERS = ("s390-subchannels:", "dhcp-plugin:", "nm-version:", "nm-version-min:", "nm-version-max:", "env:", "kernel-cmdline:")


def words_of(value: Token) -> list[str]:
    """The words of a list."""
    return _WORD.findall(value.value)


def left_alone(value: Token) -> Iterator[Match]:
    """What the listed cards match, one match for each word: a card is in the list if any word matches and none after ``except:`` does
    (nm-core-utils.c, ``nm_match_spec_device``). A list of exceptions alone contains all others."""
    words = [slice_token(value, found.start(), found.end()) for found in _WORD.finditer(value.value)][:MAX_WORDS]
    barred = [word for word in words if word.value.startswith("except:")]
    but = tuple(condition for word in barred for condition in _condition(slice_token(word, len("except:"), len(word.value)), inverted=True))
    wanted = [word for word in words if word not in barred]
    if any(word.value == "except:*" for word in barred):
        return
    if barred and not wanted:
        yield but
    for word in wanted:
        yield (*_condition(word, inverted=False), *but)


def _condition(word: Token, inverted: bool) -> Match:
    """The condition of one word; none for ``*``, which is every card."""
    if word.value == "*":
        return ()
    prefix = next((one for one in (*_KEYS, *_OTHERS) if word.value.startswith(one)), "")
    pattern = slice_token(word, len(prefix), len(word.value))
    key = _KEYS.get(prefix, MatchKey.OTHER) if prefix else MatchKey.MAC if is_mac(word.value) else MatchKey.NAME
    literal = key is MatchKey.DRIVER or not prefix or pattern.value.startswith("=")  # the others are patterns
    if prefix == "interface-name:" and pattern.value[:1] in ("=", "~"):
        pattern = slice_token(pattern, 1, len(pattern.value))
    if key is MatchKey.TYPE:
        pattern = replace(pattern, value="ether" if pattern.value == "ethernet" else f"not {pattern.value}")
    if key is MatchKey.DRIVER and "/" in pattern.value:  # the driver's version is not known
        key = MatchKey.OTHER
    pattern = replace(pattern, value=glob.escape(pattern.value)) if literal else pattern
    return (Condition(key, (Term(pattern, inverted, mandatory=inverted),)),)
