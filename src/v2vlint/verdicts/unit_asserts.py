"""Assertions of units that boot depends on."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.model.verdict import Cause, fault


def failing_asserts(policy: MountPolicy) -> Iterator[Cause[str]]:
    """``Assert…=`` that is not so: the unit fails, and with it those that require it. ``about`` is what systemd does then."""
    for name, asserted in policy.graph.refused.items():
        above = policy.graph.chain(name)[1:2]
        end = "starts no services" if policy.graph.end(name) == "nothing" else "stops in emergency mode"
        because = f", as {above[0]} requires {name}" if above else ""
        yield fault(True, f"{name} has {asserted.text}, which {asserted.why}", asserted.value.where, f"systemd {end}{because}")
