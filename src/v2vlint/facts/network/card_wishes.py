"""The user's wishes for card names as a fact that always exists, so that rules can depend on it."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.model.card_names import CardNames

__all__ = ["CardNames"]


@provides
def card_names() -> CardNames:
    """No wishes: the default when the user states none."""
    return CardNames()
