"""``v2vlint inspect``: describe a machine without judging it."""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.cli import exits, options, output
from v2vlint.model.errors import UsageError
from v2vlint.model.version import __version__

if TYPE_CHECKING:
    from v2vlint.model.machine import Machine

FORMATS = ("text", "json", "yaml", "virt-inspector")
_HELP = (
    "exit codes: 0 everything could be read · 2 usage or configuration · 3 something could not be read, or holds no operating system · "
    "4 nothing matched · 130 interrupted."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _HELP
    options.add_images(parser)
    group = parser.add_argument_group("output")
    group.add_argument("--format", choices=FORMATS, default="text", help="the output format (text); virt-inspector is that tool's XML")
    group.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    group.add_argument("--no-applications", action="store_true", help="do not list installed software")
    options.add_reading(parser)
    options.add_hash(parser)
    options.add_screen(parser)


def run(args: argparse.Namespace) -> int:
    """Inspect the images and write the result."""
    from v2vlint.run.inspecting import inspect
    from v2vlint.run.progress import ProgressLine

    request = options.request(args, options.settings(args), "inspect")
    _writable(args.output)
    with ProgressLine(len(request.guests), not args.no_progress) as line:
        machines = inspect(dataclasses.replace(request, progress=line.update), applications=not args.no_applications)
    _write(args, machines)
    _log(args, machines)
    return exits.NOT_EVALUATED if any(machine.problems or not machine.systems for machine in machines) else exits.OK


def _writable(path: str | None) -> None:
    """UsageError for an impossible output file, before any work is done."""
    if path is not None and (Path(path).is_dir() or not Path(path).parent.is_dir()):
        raise UsageError(f"--output {path}: {'is a folder' if Path(path).is_dir() else 'no such folder'}")


def _write(args: argparse.Namespace, machines: Sequence[Machine]) -> None:
    if args.format == "text" and args.output is None:
        from v2vlint.report.machine_text import rows

        output.show(rows(machines, output.look()), output.colours(args.color))
        return
    text = render(args.format, machines)
    if args.output is None:
        output.write(text, output.family(args.format))
    else:
        output.write_file(Path(args.output), text)
    if args.format == "virt-inspector":
        _complain(machines)


def render(shape: str, machines: Sequence[Machine]) -> str:
    """The machines in one of the formats."""
    if shape == "text":
        from v2vlint.report.layout import plain
        from v2vlint.report.machine_text import rows

        return plain(rows(machines))
    if shape == "virt-inspector":
        from v2vlint.report import machine_xml

        return machine_xml.render(machines)
    from v2vlint.report import machine_data

    make = machine_data.render_json if shape == "json" else machine_data.render_yaml
    return make(machines, __version__)


def _log(args: argparse.Namespace, machines: Sequence[Machine]) -> None:
    if args.verbose or args.log_file:
        from v2vlint.cli import log
        from v2vlint.report import words

        lines = [f"{one.name}: {words.count(len(one.systems), 'system')}, {one.seconds:.1f} s" for one in machines]
        log.write(args, [*lines, *(f"{one.name}: read {words.opened(file)}" for one in machines for file in one.files)])


def _complain(machines: Sequence[Machine]) -> None:
    """Report on stderr what could not be read: virt-inspector's format has no place for it."""
    for machine in machines:
        for problem in machine.problems:
            output.say(f"v2vlint: {machine.name}: {problem.where}: {problem.reason}")
