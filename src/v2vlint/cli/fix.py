"""``v2vlint fix``: repair a guest as a transaction, after showing the changes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.cli import options, output
from v2vlint.model.finding import Severity
from v2vlint.report.escape import visible
from v2vlint.report.layout import Row, Styled

if TYPE_CHECKING:
    from v2vlint.fixing.protocol import Held
    from v2vlint.fixing.session import FixOutcome
    from v2vlint.model.report import ImageReport
    from v2vlint.run.fixing import FixWish
    from v2vlint.run.request import Request


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_images(parser)
    add_fixing(parser)
    options.add_judging(parser)
    options.add_verdict(parser)
    options.add_reading(parser)
    options.add_hash(parser)
    group = parser.add_argument_group("output")
    options.add_colour(group)
    options.add_log(group)
    parser.add_argument("--report", action="append", metavar="FORMAT=FILE", help="write a report of the outcome; repeatable")


def add_fixing(parser: argparse.ArgumentParser) -> None:
    """Add the options of a repair."""
    group = parser.add_argument_group("fixing")
    group.add_argument("--diff", action="store_true", help="show what would change, and change nothing")
    group.add_argument(
        "-o",
        "--output",
        metavar="NEW",
        help="write a fixed copy (.qcow2, .raw, .vmdk, .vdi, .vhdx, .vhd), or a folder with all disks as qcow2; leave the source",
    )
    group.add_argument("--unsafe-fixes", action="store_true", help="also apply fixes that change behaviour or lose identity")
    keep_help = "keep the names of network cards: .link files with the MAC addresses of the definition, or those that --mac gives"
    group.add_argument("--keep-names", action="store_true", help=keep_help)
    mac_help = "the MAC address of a card on the target, for --keep-names; repeatable"
    group.add_argument("--mac", action="append", metavar="IFACE=MAC", help=mac_help)
    group.add_argument(
        "--rebuild-initramfs", action="store_true", help="run the guest's own generator in an appliance instead of appending"
    )
    words = "give Windows its boot driver, and the other drivers for it, from a virtio-win ISO or directory; unsafe"
    group.add_argument("--virtio-win", metavar="ISO_OR_DIR", help=words)
    words = "what writes: libguestfs in an appliance, direct (without one; ext2/3/4, vfat, NTFS), or whichever can (auto)"
    group.add_argument("--writer", choices=("auto", "libguestfs", "direct"), default="auto", help=words)


def run(args: argparse.Namespace) -> int:
    """Fix each guest in turn; report and exit code are those of a check of the result."""
    from v2vlint.fixing.protocol import Writer
    from v2vlint.run.fixing import FixWish, card_names

    settings = options.settings(args)
    wish = FixWish(
        diff=args.diff,
        output=Path(args.output) if args.output else None,
        unsafe=args.unsafe_fixes,
        rebuild=args.rebuild_initramfs,
        names=card_names(args.keep_names, (text.partition("=")[::2] for text in args.mac or ())),
        virtio_win=args.virtio_win or "",
        writer=Writer(args.writer),
    )
    return fix_all(args, options.request(args, settings, "fix"), wish, tuple(args.report or settings.config.report))


def fix_all(args: argparse.Namespace, request: Request, wish: FixWish, reports: tuple[str, ...]) -> int:
    """Fix the guests, print the outcomes, and write ``reports`` (``FORMAT=FILE``); returns the exit code."""
    from v2vlint.report.walk import exit_code
    from v2vlint.run.checking import report_of
    from v2vlint.run.fixing import fix

    files, started = output.destinations(reports), time.perf_counter()
    done: list[FixOutcome] = []
    for outcome in fix(request, wish):
        _show(outcome, in_place=not wish.output, colour=output.colours(args.color))
        options.tell(args, [outcome.image])
        done.append(outcome)
    rules = (rule for outcome in done for rule in outcome.rules)
    report = report_of(request.settings, (outcome.image for outcome in done), rules, time.perf_counter() - started, request.not_judged)
    output.save(report, files)
    return exit_code(report)


def _unchanged(image: ImageReport) -> Row:
    """Why nothing is done: there is nothing to fix, or the guest, or a part of it, could not be read."""
    problem = next(iter(image.problems), None)
    words = Styled(f"nothing to fix in what could be read{_remaining(image)}", "unknown") if problem else Styled("nothing to fix", "ok")
    if problem and not image.roots:
        words = Styled(visible(f"not read: {problem.reason}"), "unknown")
    return (Styled(f"{visible(image.name)}: "), words)


def _remaining(image: ImageReport) -> str:
    """The errors for which there is no fix, as the rest of a sentence."""
    results = (result for _device, target in image.judged() for result in target.results)
    rules = dict.fromkeys(
        one.rule for one in results for found in one.findings if found.counts and found.finding.severity is Severity.ERROR
    )
    return f"; by hand: {', '.join(rules)}" if rules else ""


def _closed(image: ImageReport) -> Iterator[Row]:
    """Parts of a guest that are neither judged nor fixed, such as a root without its key."""
    for problem in image.problems if image.roots else ():
        hint = f" ({visible(problem.hint)})" if problem.hint else ""
        yield (Styled("not looked at:", "unknown"), Styled(f" {visible(problem.where)}: {visible(problem.reason)}{hint}"))


def _show(done: FixOutcome, *, in_place: bool, colour: bool) -> None:
    """Show the diff, unchanged when there are no colours, so that ``patch`` accepts it; then the result of each fix."""
    diff = visible(done.diff, keep="\n\t")
    if colour:
        output.show([_changed(line) for line in diff.split("\n")[:-1]], colour)
    else:
        output.write(diff)
    output.show(list(_told(done, in_place=in_place)), colour)


def _told(done: FixOutcome, *, in_place: bool) -> Iterator[Row]:
    if done.refused:
        hint = f" ({done.refused.hint})" if done.refused.hint else ""
        yield (Styled(f"{visible(done.refused.where)}: "), Styled(visible(f"{done.refused.reason}{hint}"), "error"))
        return
    if not done.applied and not done.failed and not done.planned:
        yield _unchanged(done.before)
    for word, fixes in (("would", done.planned), ("fixed:", done.applied)):
        yield from (_line(word, "ok", one.title, one.rule, ", ".join(one.places)) for one in fixes)
    for held in done.failed:
        yield _line("taken back:", "error", held.title, held.rule, held.reason)
    yield from _closed(done.before)
    yield from _kept_back(done.held, done.known)
    yield from ((Styled(f"note: {visible(note)}"),) for note in done.notes)
    if done.applied:
        split = " · ".join(f"{part} {spent:.1f} s" for part, spent in done.seconds.items())
        yield (Styled(f"{len(done.applied)} fixed in {sum(done.seconds.values()):.1f} s ({split})"),)
        yield (Styled(f"undo with: v2vlint undo {output.shell_word(done.output)}" if in_place else f"written: {visible(done.output)}"),)


def _changed(line: str) -> Row:
    """A line of a unified diff, coloured by its kind."""
    style = "title" if line.startswith(("--- ", "+++ ")) else {"+": "add", "-": "del", "@": "place"}.get(line[:1], "")
    return (Styled(line, style),)


def _line(word: str, style: str, title: str, rule: str, rest: str) -> Row:
    return (Styled(word, style), Styled(f" {visible(title)}  "), Styled(f"[{rule}]", "dim"), Styled(f"  {visible(rest)}"))


def _kept_back(held: tuple[Held, ...], known: int) -> Iterator[Row]:
    for one in held:
        hint = " (--unsafe-fixes applies it)" if one.reason == "is unsafe" else ""
        yield _line("not fixed:", "warning", one.title, one.rule, f"{one.reason}{hint}")
    if known:
        yield (Styled(f"left alone: {known} finding{'s' if known > 1 else ''} of the baseline", "dim"),)
