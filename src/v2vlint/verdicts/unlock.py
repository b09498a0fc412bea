"""Unlock: can the encrypted layers under the root be opened there?"""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.verdict import Cause, Judge, Verdict


def _passphrase(stack: RootStack) -> Iterator[Cause[None]]:
    """Somebody types it."""
    layers = stack.of_kind("luks")
    if layers:
        yield Cause(Fate.PASS, f"{', '.join(layer.name for layer in layers)} asks for its passphrase on the console")
    else:
        yield Cause(Fate.SKIPPED, "the root is not encrypted")


class UnlockVerdict(Verdict, stage=Stage.UNLOCK, place=70):
    """Can the encrypted layers under the root be opened there?"""

    passphrase = Judge(_passphrase)
