"""``v2vlint check``: predict what will break, and whether the guest will boot."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.cli import exits, options, output
from v2vlint.model.errors import UsageError
from v2vlint.model.report import Report
from v2vlint.report.formats import text
from v2vlint.report.registry import FILES, FORMATS, renderer
from v2vlint.report.walk import exit_code
from v2vlint.run.settings import Settings

if TYPE_CHECKING:
    from v2vlint.run.journal import Journal


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "v2vlint [check] IMAGE… [options]"
    options.add_images(parser)
    options.add_judging(parser)
    options.add_verdict(parser)
    options.add_reading(parser)
    options.add_hash(parser)
    options.add_screen(parser)
    estate = parser.add_argument_group("many guests")
    journal_help = "write one record for each guest as it ends into a folder, from which 'v2vlint report' makes reports"
    estate.add_argument("--journal", metavar="DIR", help=journal_help)
    estate.add_argument("--resume", action="store_true", help="with --journal: go on, without the guests that are done and as they were")
    estate.add_argument("--no-cache", action="store_true", help="judge guests again that are as they were when they were judged last")
    scheduler_help = "have the workers of a Dask scheduler judge (tcp://HOST:8786); they must see the same paths"
    estate.add_argument("--scheduler", metavar="ADDRESS", default="", help=scheduler_help)
    fixing = parser.add_argument_group("fixing")
    fixing.add_argument("--fix", action="store_true", help="apply safe fixes in place; see 'v2vlint fix --help' for more")
    fixing.add_argument("--unsafe-fixes", action="store_true", help="with --fix: also fixes that change behaviour or lose identity")
    fixing.add_argument(
        "--virtio-win", metavar="ISO_OR_DIR", help="with --fix: boot drivers for Windows from a virtio-win ISO or directory"
    )
    writer_help = "with --fix: the back end that writes into the guest (auto)"
    fixing.add_argument("--writer", choices=("auto", "libguestfs", "direct"), help=writer_help)
    group = parser.add_argument_group("reports")
    group.add_argument("--format", choices=tuple(FORMATS), help="what stdout gets (text)")
    group.add_argument("--report", action="append", metavar="FORMAT=FILE", help=f"also write a report: {', '.join(FILES)}; repeatable")
    group.add_argument("--all", action="store_true", help="every finding in full; without it, text on stdout is folded to what matters")
    group.add_argument("-q", "--quiet", action="store_true", help="one line per finding, no forecast, no progress")
    group.add_argument("--print-config", action="store_true", help="print the effective settings as TOML and exit")


def run(args: argparse.Namespace) -> int:
    """Check the images and write the reports."""
    settings = options.settings(args)
    if not args.print_config and (args.fix or args.unsafe_fixes or args.virtio_win or args.writer):
        return _fix(args, settings)
    shape = args.format or settings.config.format or "text"
    render, reports = renderer(shape), tuple(args.report or settings.config.report)
    files = output.destinations(reports)
    if args.print_config:
        from v2vlint.cli.config_text import config_text
        from v2vlint.engine.packs import load_all
        from v2vlint.engine.select import choose

        # A wrong name of a rule is an error here, too.
        choose(load_all(settings.selection.folders), settings.selection)
        output.write(config_text(settings, shape, reports), "json")
        return exits.OK
    colour = shape == "text" and output.colours(args.color)
    report = _check(args, settings, colour)
    output.save(report, files)
    options.tell(args, report.images)
    if shape == "text":
        output.show(text.brief(report) if args.quiet else text.rows(report, replace(output.look(), whole=args.all)), colour)
    else:
        output.write(render(report), output.family(shape))
    if shape == "github":
        output.summarise(report)
    return exit_code(report)


def _check(args: argparse.Namespace, settings: Settings, colour: bool) -> Report:
    from v2vlint.run.checking import check
    from v2vlint.run.progress import ProgressLine

    if args.resume and not args.journal:
        raise UsageError("--resume goes with --journal")
    request = options.request(args, settings, "check")
    line = ProgressLine(len(request.guests), not (args.no_progress or args.quiet), _rich if colour else None)
    with _journal(args, settings) as journal, line:
        request = replace(request, progress=line.update, partial=True, cached=not args.no_cache, scheduler=args.scheduler)
        report = check(request, journal)
    if report.interrupted:
        output.say(*_how_to_go_on(args, len(report.images), len(request.guests)))
    return report


@contextmanager
def _journal(args: argparse.Namespace, settings: Settings) -> Iterator[Journal | None]:
    if not args.journal:
        yield None
        return
    from v2vlint.run.journal import Journal

    with Journal(Path(args.journal), settings, resume=args.resume) as journal:
        yield journal


def _how_to_go_on(args: argparse.Namespace, done: int, count: int) -> Iterator[str]:
    yield f"v2vlint: interrupted after {done} of {count} guests; the report is about those"
    if args.journal:
        yield f"  the same command with --resume goes on; 'v2vlint report {shlex.quote(args.journal)}' makes reports of what is done"
    else:
        yield "  hint: with --journal DIR the next run can go on where this one ended"


def _fix(args: argparse.Namespace, settings: Settings) -> int:
    from v2vlint.cli import fix
    from v2vlint.fixing.protocol import Writer
    from v2vlint.run.fixing import FixWish

    _fit_for_fixing(args)
    wish = FixWish(unsafe=args.unsafe_fixes, virtio_win=args.virtio_win or "", writer=Writer(args.writer or "auto"))
    return fix.fix_all(args, options.request(args, settings, "check"), wish, tuple(args.report or settings.config.report))


def _fit_for_fixing(args: argparse.Namespace) -> None:
    """UsageError for options that would have no effect."""
    given = {"--unsafe-fixes": args.unsafe_fixes, "--virtio-win": args.virtio_win, "--writer": args.writer}
    if not args.fix:
        raise UsageError(f"{next(name for name, value in given.items() if value)} requires --fix")
    if args.format not in (None, "text"):
        raise UsageError(f"--fix writes no {args.format} to stdout", hint=f"--report {args.format}=FILE")
    for name, value in {"--journal": args.journal, "--resume": args.resume, "--scheduler": args.scheduler}.items():
        if value:
            raise UsageError(f"--fix and {name} do not go together", hint="check with it first, then fix")


def _rich() -> None:
    import_module("rich.console")
    import_module("rich.text")
