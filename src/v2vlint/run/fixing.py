"""Fixing: one guest after the other, as a transaction, as a fixed copy, or only as a plan."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from v2vlint.fixing import session
from v2vlint.fixing.protocol import FixAsk, Writer
from v2vlint.fixing.session import FixOutcome
from v2vlint.model.card_names import CardNames
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import UsageError, V2vlintError
from v2vlint.model.fix import Applicability
from v2vlint.model.report import ImageReport, Problem, Report
from v2vlint.run.request import Request
from v2vlint.source.values import mac_address

_INTERFACE = re.compile(r"[^\s/:=]{1,15}")


@dataclass(frozen=True, slots=True)
class FixWish:
    """How to fix.

    ``diff`` only shows what would be done. ``output`` is the file or folder of a fixed copy; the source is then only read. ``unsafe``
    includes fixes that change behaviour or lose identity. ``rebuild`` has the guest's own generator make its initramfs. ``names`` are the
    network cards whose names are kept. ``virtio_win`` is an ISO or a directory with drivers for Windows. ``writer`` is the back-end that
    writes.
    """

    diff: bool = False
    output: Path | None = None
    unsafe: bool = False
    rebuild: bool = False
    names: CardNames = CardNames()
    virtio_win: str = ""
    writer: Writer = Writer.AUTO


@dataclass(frozen=True, slots=True)
class FixReport:
    """``outcomes`` in the order of the guests; ``report`` is that of a check of the results."""

    outcomes: tuple[FixOutcome, ...]
    report: Report


def fix(request: Request, wish: FixWish) -> Iterator[FixOutcome]:
    """Fix one guest after the other. UsageError for contradictory options, before anything is done.

    A guest that cannot be fixed is an ImageError or UsageError if it is the only one. One of several is a problem in its report, and does
    not keep the others from being fixed.
    """
    if wish.output and len(request.guests) != 1:
        raise UsageError("a fixed copy takes one guest", hint="fix the guests one by one")
    for guest in request.guests:
        if guest.unwritable:
            raise UsageError(f"{guest.name} cannot be fixed", hint=guest.unwritable)
    if wish.virtio_win and not Path(wish.virtio_win).exists():
        hint = "--virtio-win takes virtio-win.iso or a directory with its content"
        raise UsageError(f"{wish.virtio_win}: no such file or directory", hint=hint)
    level = Applicability.UNSAFE if wish.unsafe else Applicability.SAFE
    asks = [FixAsk(request.ask(guest, wish.names), level, (), wish.rebuild, wish.virtio_win, wish.writer) for guest in request.guests]
    one = _one if len(asks) == 1 else _one_of_several
    return (one(asked, wish, request) for asked in asks)


def writer_named(name: str) -> Writer:
    """The back-end called ``name``. UsageError when there is none."""
    try:
        return Writer(name)
    except ValueError:
        raise UsageError(f"{name!r} is no writer", hint=f"one of {', '.join(Writer)}") from None


def card_names(keep: bool, macs: Iterable[tuple[str, str]]) -> CardNames:
    """Cards whose names are kept: those of the definition, and those that ``macs`` pairs with addresses. UsageError if there is no
    address.
    """
    cards = tuple((name, _checked(name, written)) for name, written in macs)
    return CardNames(keep or bool(cards), cards)


def _checked(name: str, written: str) -> str:
    mac = mac_address(written)
    if not mac or not _INTERFACE.fullmatch(name):
        raise UsageError(f"--mac {name}={written}: not an interface name and a MAC address", hint="--mac ens192=00:50:56:aa:bb:cc")
    return mac


def _one_of_several(asked: FixAsk, wish: FixWish, request: Request) -> FixOutcome:
    try:
        return _one(asked, wish, request)
    except V2vlintError as error:
        name = asked.ask.guest.name
        refused = Problem(name, f"not fixed: {error.message}", error.hint)
    try:
        seen = session.preview(asked, request.settings.limits)
        image, rules = seen.image, seen.rules
    except V2vlintError:
        image, rules = ImageReport(name, asked.ask.guest.paths, "", 0, (), ()), ()
    return FixOutcome(replace(image, problems=(*image.problems, refused)), None, rules, (), (), (), "", refused=refused)


def _one(asked: FixAsk, wish: FixWish, request: Request) -> FixOutcome:
    limits = request.settings.limits
    if wish.diff:
        plan = session.preview(asked, limits)
        return FixOutcome(plan.image, None, plan.rules, (), plan.held, (), plan.diff, known=plan.known, planned=plan.chosen)
    return session.fix_copy(asked, wish.output, limits) if wish.output else session.fix_in_place(asked, limits)
