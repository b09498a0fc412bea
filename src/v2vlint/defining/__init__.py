"""Propose the definition of the machine that a guest needs on a KVM target, from what was found on its disks."""

from __future__ import annotations

from v2vlint.defining.formats.libvirt import domain_xml
from v2vlint.defining.protocol import PREPARE, DefineAsk, ProposedMachine
from v2vlint.engine.child import answer
from v2vlint.isolate import DEFAULT_LIMITS, Limits

__all__ = ["DefineAsk", "ProposedMachine", "define", "domain_xml"]


def define(ask: DefineAsk, limits: Limits = DEFAULT_LIMITS) -> ProposedMachine:
    """The machine for one guest, determined by an isolated child. ImageError for an unreadable guest, UsageError for a non-KVM target."""
    return answer(PREPARE, ask, ProposedMachine, ask.guest, limits)
