"""The messages between parent and child: plain data, cheap to import."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from v2vlint.engine.decisions import Decisions
from v2vlint.model.card_names import CardNames
from v2vlint.model.dataclass import dataclass
from v2vlint.model.finding import Mover
from v2vlint.model.report import ImageReport
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import GuestRef, Keys
from v2vlint.model.target import Target

CHECK = "v2vlint.engine.worker:check"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rules run: those of ``profile``, or those matching ``select``, without those matching ``ignore``.

    Patterns are rule ids, groups, or globs of either. ``named`` are further ids, from the configuration, that must exist. ``folders``
    contain custom rules.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    profile: str = "default"
    named: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckAsk:
    """Request to judge one guest. ``unopened`` leaves its disks alone: only the definition is judged.

    ``standing_for`` holds the paths of the images that the guest's disks are a working copy of: a baseline knows findings by those names.
    ``known`` is the digest of the rules that the parent has already: an answer with the same rules contains only the digest.
    """

    guest: GuestRef
    targets: tuple[Target, ...]
    mover: Mover = Mover.RAW
    selection: Selection = Selection()
    decisions: Decisions = Decisions()
    keys: Keys = Keys()
    names: CardNames = CardNames()
    unopened: bool = False
    standing_for: tuple[str, ...] = ()
    known: str = ""


def digest_of(rules: Any) -> str:
    """The digest of encoded rules, by which parent and child refer to them."""
    return hashlib.sha256(json.dumps(rules).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Judged:
    """The answer: the guest's report after the user's decisions, and the selected rules."""

    image: ImageReport
    rules: tuple[RuleInfo, ...]
