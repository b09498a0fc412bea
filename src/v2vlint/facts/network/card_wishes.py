"""The user's wishes about the names of cards as a fact, so that rules can ask for them whether there are any or not."""

from __future__ import annotations

from v2vlint.facts.registry import provides
from v2vlint.model.card_names import CardNames

__all__ = ["CardNames"]


@provides
def card_names() -> CardNames:
    """No wishes, unless the user has some."""
    return CardNames()
