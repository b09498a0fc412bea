"""``v2vlint diagnose``: what a console log says about a failed boot, and which part of the image is the cause."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from v2vlint.cli import exits, options, output
from v2vlint.model.errors import UsageError

if TYPE_CHECKING:
    from v2vlint.model.diagnosis import Diagnosis

_HELP = (
    "exit codes: 0 the guest came up · 1 it did not, or with an error · 2 usage or configuration · 3 undecided · 4 no message of a boot."
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "v2vlint diagnose LOG [IMAGE] [options]"
    parser.epilog = _HELP
    words = (
        "a console log: of a serial line, 'virsh console', a cloud's console output (also in JSON or base64), a screen's text; - is stdin"
    )
    parser.add_argument("log", metavar="LOG", help=words)
    options.add_images(parser)
    options.add_judging(parser)
    options.add_reading(parser)
    group = parser.add_argument_group("output")
    options.add_colour(group)
    options.add_log(group)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="the format on stdout")


def run(args: argparse.Namespace) -> int:
    """Diagnose the log, and look for the cause in the image if there is one."""
    from v2vlint.engine.packs import load_all
    from v2vlint.run.diagnosing import diagnose, with_image

    if args.log == "-" and "-" in args.images:
        raise UsageError("the log and the list of images cannot both come from stdin")
    request = options.request(args, options.settings(args), "diagnose") if args.images else None
    found = diagnose(args.log, sys.stdin.buffer, load_all(options.rule_folders(args)))
    if request is not None:
        found = with_image(found, request)
    _print(args, found)
    return _code(found)


def _print(args: argparse.Namespace, found: Diagnosis) -> None:
    if args.format == "json":
        from v2vlint.model.version import __version__
        from v2vlint.report.diagnosis_data import render_json

        output.write(render_json(found, __version__), "json")
        return
    from v2vlint.report.diagnosis import rows

    output.show(list(rows(found, output.look())), output.colours(args.color))


def _code(found: Diagnosis) -> int:
    if found.failed:
        return exits.FINDINGS
    if not found.recognised:
        return exits.NOTHING
    return exits.OK if found.came_up and not (found.image and found.image.problems) else exits.NOT_EVALUATED
