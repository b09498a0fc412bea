"""``v2vlint baseline``: record today's findings, so that ``check --baseline`` counts only new ones."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from v2vlint.cli import exits, options, output
from v2vlint.model.errors import UsageError

DEFAULT = "v2vlint-baseline.json"


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_images(parser)
    options.add_judging(parser)
    options.add_reading(parser)
    parser.add_argument("-o", "--output", metavar="FILE", default=DEFAULT, help=f"the baseline file to write ({DEFAULT})")
    parser.add_argument("--no-progress", action="store_true", help="no progress line on stderr")


def run(args: argparse.Namespace) -> int:
    """Check the images and write the baseline; 3 when an image could not be read, since its findings are not in it."""

    from v2vlint.engine import baseline
    from v2vlint.run.checking import check
    from v2vlint.run.progress import ProgressLine

    request = options.request(args, options.settings(args), "baseline")
    with ProgressLine(len(request.guests), not args.no_progress) as line:
        report = check(replace(request, progress=line.update))
    entries = baseline.entries(report.images)
    path = Path(args.output)
    try:
        path.write_text(baseline.render(entries), "utf-8")
    except OSError as error:
        raise UsageError(f"{path}: {(error.strerror or 'cannot be written').lower()}") from error
    unread = [image.name for image in report.images if image.problems]
    for name in unread:
        output.say(f"v2vlint: {name}: not everything could be read, the baseline may lack findings")
    output.say(f"{path}: {len(entries)} finding{'s' if len(entries) != 1 else ''} known")
    return exits.NOT_EVALUATED if unread else exits.OK
