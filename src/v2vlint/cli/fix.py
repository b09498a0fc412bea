"""``v2vlint fix``: repair what can be repaired, as a transaction, after showing it."""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.cli import options, output
from v2vlint.model.card_names import CardNames
from v2vlint.model.errors import UsageError
from v2vlint.model.fix import Applicability
from v2vlint.report.escape import visible
from v2vlint.run import keys
from v2vlint.run.settings import Settings, settle
from v2vlint.source.values import mac_address

_INTERFACE = re.compile(r"[^\s/:=]{1,15}")

if TYPE_CHECKING:
    from v2vlint.fixing.protocol import FixAsk, Held, PreparedFix
    from v2vlint.fixing.session import FixOutcome
    from v2vlint.model.report import ImageReport
    from v2vlint.model.rule import RuleInfo


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_images(parser)
    add_fixing(parser)
    options.add_judging(parser)
    options.add_verdict(parser)
    options.add_reading(parser)
    parser.add_argument("--report", action="append", metavar="FORMAT=FILE", help="write a report of the outcome; repeatable")


def add_fixing(parser: argparse.ArgumentParser) -> None:
    """What to do to the guest."""
    group = parser.add_argument_group("fixing")
    group.add_argument("--diff", action="store_true", help="show what would change, and change nothing")
    group.add_argument(
        "-o",
        "--output",
        metavar="NEW",
        help="write a fixed copy (.qcow2, .raw, .vmdk, .vdi, .vhdx, .vhd), or a folder with all disks as qcow2; leave the source",
    )
    group.add_argument("--unsafe-fixes", action="store_true", help="also fixes that change behaviour or lose identity")
    keep_help = "keep the names of network cards: .link files with the MAC addresses of the definition, or those that --mac gives"
    group.add_argument("--keep-names", action="store_true", help=keep_help)
    mac_help = "the MAC address of a card on the target, for --keep-names; repeatable"
    group.add_argument("--mac", action="append", metavar="IFACE=MAC", help=mac_help)
    group.add_argument(
        "--rebuild-initramfs", action="store_true", help="run the guest's own generator in an appliance instead of appending"
    )
    words = "give Windows its boot driver, and the other drivers for it, from a virtio-win ISO or directory; unsafe"
    group.add_argument("--virtio-win", metavar="ISO_OR_DIR", help=words)


def run(args: argparse.Namespace) -> int:
    """Fix each guest in turn; report and exit code are those of a check of what came out."""
    from v2vlint.report.walk import exit_code
    from v2vlint.run.checking import report_of

    settings, started = settle(args), time.perf_counter()
    files = output.destinations(args.report or settings.config.report)
    images: list[ImageReport] = []
    rules: dict[str, RuleInfo] = {}
    for asked in _asks(args, settings):
        image, infos = _one(args, settings, asked)
        images.append(image)
        rules.update({info.id: info for info in infos})
    report = report_of(settings, images, rules, time.perf_counter() - started)
    output.save(report, files)
    return exit_code(report)


def _asks(args: argparse.Namespace, settings: Settings) -> list[FixAsk]:
    from v2vlint.engine.protocol import CheckAsk
    from v2vlint.fixing.protocol import FixAsk
    from v2vlint.source.expand import expand

    guests = expand(args.images, settings.connect, verify=settings.verify)
    if not guests:
        raise UsageError("no image given")
    if args.output and len(guests) != 1:
        raise UsageError("-o takes one guest")
    secrets = keys.collect(args.key_file or ())
    names = CardNames(args.keep_names or bool(args.mac), tuple(map(_card, args.mac or ())))
    level = Applicability.UNSAFE if args.unsafe_fixes else Applicability.SAFE
    asks = [CheckAsk(guest, settings.targets, settings.mover, settings.selection, settings.decisions, secrets, names) for guest in guests]
    drivers = args.virtio_win or ""
    if drivers and not Path(drivers).exists():
        raise UsageError(f"{drivers}: no such file or directory", hint="--virtio-win takes virtio-win.iso or a directory with its content")
    return [FixAsk(ask, level, rebuild=args.rebuild_initramfs, virtio_win=drivers) for ask in asks]


def _card(text: str) -> tuple[str, str]:
    name, _, written = text.partition("=")
    mac = mac_address(written)
    if not mac or not _INTERFACE.fullmatch(name):
        raise UsageError(f"--mac {text}: not an interface name and a MAC address", hint="--mac ens192=00:50:56:aa:bb:cc")
    return name, mac


def _one(args: argparse.Namespace, settings: Settings, asked: FixAsk) -> tuple[ImageReport, tuple[RuleInfo, ...]]:
    from v2vlint.fixing import session

    started = time.perf_counter()
    if args.diff:
        prepared = session.preview(asked, settings.limits)
        output.write("".join(_shown(prepared)))
        return prepared.image, prepared.rules
    done = session.fix_copy(asked, Path(args.output), settings.limits) if args.output else session.fix_in_place(asked, settings.limits)
    output.write("".join(_told(done, time.perf_counter() - started, in_place=not args.output)))
    return done.after or done.before, done.rules


def _shown(prepared: PreparedFix) -> Iterator[str]:
    yield visible(prepared.diff, keep="\n\t")
    if not prepared.chosen:
        yield _unchanged(prepared.image)
    for chosen in prepared.chosen:
        yield f"would {visible(chosen.title)}  [{chosen.rule}]  {visible(', '.join(chosen.places))}\n"
    yield from _kept_back(prepared.held, prepared.known)


def _unchanged(image: ImageReport) -> str:
    """Why nothing is done: there is nothing to do, or the guest could not be read."""
    problem = next(iter(image.problems), None) if not image.roots else None
    return f"{visible(image.name)}: {visible(f'not read: {problem.reason}' if problem else 'nothing to fix')}\n"


def _told(done: FixOutcome, seconds: float, *, in_place: bool) -> Iterator[str]:
    yield visible(done.diff, keep="\n\t")
    if not done.applied and not done.failed:
        yield _unchanged(done.before)
    for chosen in done.applied:
        yield f"fixed: {visible(chosen.title)}  [{chosen.rule}]  {visible(', '.join(chosen.places))}\n"
    for held in done.failed:
        yield f"taken back: {visible(held.title)}  [{held.rule}]  {visible(held.reason)}\n"
    yield from _kept_back(done.held, done.known)
    yield from (f"note: {visible(note)}\n" for note in done.notes)
    if done.applied:
        split = " · ".join(f"{part} {spent:.1f} s" for part, spent in done.seconds.items())
        yield f"{len(done.applied)} fixed in {seconds:.1f} s ({split})\n"
        yield f"undo with: v2vlint undo {visible(done.output)}\n" if in_place else f"written: {visible(done.output)}\n"


def _kept_back(held: tuple[Held, ...], known: int) -> Iterator[str]:
    for one in held:
        hint = " (--unsafe-fixes applies it)" if one.reason == "is unsafe" else ""
        yield f"not fixed: {visible(one.title)}  [{one.rule}]  {visible(one.reason)}{hint}\n"
    if known:
        yield f"left alone: {known} finding{'s' if known > 1 else ''} of the baseline\n"
