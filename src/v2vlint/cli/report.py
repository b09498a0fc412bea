"""``v2vlint report``: every report, from the journals of one or several runs."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from v2vlint.cli import options, output
from v2vlint.model.errors import NothingFound
from v2vlint.model.finding import Severity
from v2vlint.report.formats import text
from v2vlint.report.registry import FILES, FORMATS, renderer
from v2vlint.report.standing import Standing
from v2vlint.report.walk import exit_code
from v2vlint.run.journal import report_of_journals
from v2vlint.run.narrow import Wanted, narrowed
from v2vlint.run.texts import split


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "v2vlint report DIR… [options]"
    parser.add_argument("folders", metavar="DIR", nargs="+", help="folder of a journal; several are merged")
    group = parser.add_argument_group("what to show")
    group.add_argument("-t", "--target", action="append", metavar="NAME", help="only these targets; repeatable")
    group.add_argument("--guest", action="append", metavar="GLOB", help="only guests with such a name; repeatable")
    group.add_argument("--rule", action="append", metavar="RULE", help="only findings of these rules: ids, groups or globs; repeatable")
    levels = [level.label for level in reversed(Severity)]
    group.add_argument("--severity", choices=levels, help="only findings that are at least this severe")
    verdicts = ", ".join(one.value for one in Standing)
    group.add_argument("--verdict", action="append", metavar="NAME", help=f"only guests that are, on a target, {verdicts}; repeatable")
    group = parser.add_argument_group("reports")
    group.add_argument("--format", choices=tuple(FORMATS), help="what stdout gets (text)")
    group.add_argument("--report", action="append", metavar="FORMAT=FILE", help=f"also write a report: {', '.join(FILES)}; repeatable")
    group.add_argument("-q", "--quiet", action="store_true", help="one line per finding, no forecast")
    options.add_colour(parser.add_argument_group("output"))


def run(args: argparse.Namespace) -> int:
    """Write the reports."""
    files = output.destinations(tuple(args.report or ()))
    shape = args.format or "text"
    render = renderer(shape)
    wanted = Wanted(
        targets=split(args.target),
        guests=tuple(args.guest or ()),
        rules=split(args.rule),
        severity=Severity[args.severity.upper()] if args.severity else Severity.INFO,
        standings=frozenset(map(Standing.named, split(args.verdict))),
    )
    report = narrowed(report_of_journals([Path(folder) for folder in args.folders]), wanted)
    if not report.images:
        raise NothingFound("no guest in the journal fits")
    output.save(report, files)
    if shape == "text":
        rows = text.brief(report) if args.quiet else text.rows(report, replace(output.look(), whole=True))
        output.show(rows, output.colours(args.color))
    else:
        output.write(render(report), output.family(shape))
    return exit_code(report)
