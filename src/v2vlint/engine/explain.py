"""Maps an error message of a converter or a guest to the rules that predict it, or says that none does."""

from __future__ import annotations

import re
from collections.abc import Iterable

from v2vlint.console.signatures import Topic, signatures
from v2vlint.engine.packs import LoadedRule


def predicting(text: str, rules: Iterable[LoadedRule]) -> tuple[LoadedRule, ...]:
    """The rules that predict the message ``text``."""
    return tuple(loaded for loaded in rules if any(_found(pattern, text) for pattern in loaded.rule.predicts))


def known(text: str) -> tuple[Topic, ...]:
    """What is known about the messages in ``text``, from the table of signatures; the cause before the consequence."""
    return tuple(dict.fromkeys(one.topic for one in signatures() if one.in_text(text)))


def _found(pattern: str, text: str) -> bool:
    return re.search(pattern, text, re.IGNORECASE) is not None
