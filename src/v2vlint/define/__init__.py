"""Proposing the definition of the machine that a guest needs on a KVM target: a libvirt domain made from what was found."""

from __future__ import annotations

from v2vlint import isolate
from v2vlint.define.protocol import PREPARE, DefineAsk, Machine
from v2vlint.define.xml import domain_xml
from v2vlint.isolate import DEFAULT_LIMITS, Answer, Call, Limits, Refusal
from v2vlint.model.codec import decode, encode
from v2vlint.model.errors import ImageError, UsageError

__all__ = ["DefineAsk", "Machine", "define", "domain_xml"]


def define(ask: DefineAsk, limits: Limits = DEFAULT_LIMITS) -> Machine:
    """The machine for one guest, found by an isolated child. ImageError when the guest cannot be read, UsageError for no KVM target."""
    outcome = isolate.run(Call(PREPARE, encode(ask)), limits)
    if isinstance(outcome, Answer):
        return decode(Machine, outcome.value)
    if isinstance(outcome, Refusal):
        raise (UsageError if outcome.kind == "UsageError" else ImageError)(outcome.message, hint=outcome.hint)
    raise ImageError(f"{ask.guest.name}: {outcome.reason}", hint=outcome.hint)
