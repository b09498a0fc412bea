"""``v2vlint check``: what will break, and whether it will boot."""

from __future__ import annotations

import argparse
from importlib import import_module

from v2vlint.cli import options, output
from v2vlint.cli.settings import settle
from v2vlint.model.errors import UsageError
from v2vlint.report.registry import FORMATS, renderer
from v2vlint.report.walk import exit_code


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "v2vlint [check] IMAGE… [options]"
    options.add_images(parser)
    options.add_judging(parser)
    options.add_verdict(parser)
    options.add_reading(parser)
    options.add_screen(parser)
    fixing = parser.add_argument_group("fixing")
    fixing.add_argument("--fix", action="store_true", help="repair what is safe to repair, in place; 'v2vlint fix --help' has more")
    fixing.add_argument("--unsafe-fixes", action="store_true", help="with --fix: also what changes behaviour or loses identity")
    group = parser.add_argument_group("reports")
    group.add_argument("--format", choices=tuple(FORMATS), help="what stdout gets (text)")
    group.add_argument("--report", action="append", metavar="FORMAT=FILE", help=f"also write a report: {', '.join(FORMATS)}; repeatable")
    group.add_argument("-q", "--quiet", action="store_true", help="one line per finding, no forecast, no progress")
    group.add_argument("--print-config", action="store_true", help="print the settings in force, as TOML, and leave")


def run(args: argparse.Namespace) -> int:
    """Check the images and write the reports."""
    from v2vlint.cli.running import run_check

    if args.fix or args.unsafe_fixes:
        return _fix(args)
    settings = settle(args)
    shape = args.format or settings.config.format or "text"
    render = renderer(shape)
    files = output.destinations(args.report or settings.config.report)
    colour = shape == "text" and output.colours(args.color)
    report = run_check(settings, args.images, args.key_file, progress=not (args.no_progress or args.quiet), warm=_rich if colour else None)
    if shape != "text":
        output.write(render(report))
    else:
        from v2vlint.report import text

        output.show(text.brief(report) if args.quiet else text.rows(report, output.look()), colour)
    output.save(report, files)
    return exit_code(report)


def _fix(args: argparse.Namespace) -> int:
    from v2vlint.cli import fix

    if not args.fix:
        raise UsageError("--unsafe-fixes goes with --fix")
    if args.format not in (None, "text"):
        raise UsageError(f"--fix writes no {args.format} to stdout", hint=f"--report {args.format}=FILE")
    return fix.run(argparse.Namespace(**vars(args), diff=False, output=None, rebuild_initramfs=False))


def _rich() -> None:
    import_module("rich.console")
    import_module("rich.text")
