"""Map an error message of a converter or a guest to the rules that foresee it, or say honestly that none does."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from v2vlint.engine.packs import LoadedRule


@dataclass(frozen=True, slots=True)
class Message:
    """A known message: ``pattern`` finds it, ``meaning`` and ``advice`` explain it, ``here`` says how v2vlint can help."""

    pattern: str
    meaning: str
    advice: str
    here: str


@cache
def messages() -> tuple[Message, ...]:
    """All known messages that belong to no single rule."""
    data = tomllib.loads((Path(__file__).parent / "messages.toml").read_text("utf-8"))
    return tuple(Message(**entry) for entry in data["message"])


def predicting(text: str, rules: Iterable[LoadedRule]) -> tuple[LoadedRule, ...]:
    """The rules that foresee the message ``text``."""
    return tuple(loaded for loaded in rules if any(_found(pattern, text) for pattern in loaded.rule.predicts))


def known(text: str) -> tuple[Message, ...]:
    """The known messages that ``text`` contains."""
    return tuple(message for message in messages() if _found(message.pattern, text))


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
