"""``v2vlint test``: run the examples of custom rules."""

from __future__ import annotations

import argparse

from v2vlint.cli import exits, options, output
from v2vlint.model.errors import NothingFound


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("folders", metavar="FOLDER", nargs="+", help="a folder with rules, one Python file each")
    options.add_colour(parser)


def run(args: argparse.Namespace) -> int:
    """Test every rule; 1 when one does not behave as its examples say."""
    from v2vlint.engine.packs import load_folder
    from v2vlint.report.escape import visible
    from v2vlint.report.layout import Row, Styled
    from v2vlint.run.verifying import faults

    rules = [loaded for folder in args.folders for loaded in load_folder(folder)]
    if not rules:
        raise NothingFound(f"no rules in {', '.join(args.folders)}", hint="'v2vlint rules --new my-rule' writes a template")
    failed, colour = 0, output.colours(args.color)
    for loaded in rules:
        wrong = list(faults(loaded))
        failed += bool(wrong)
        examples = len(type(loaded.rule).examples)
        mark = Styled(f"{'FAILED' if wrong else 'ok':<7}", "error" if wrong else "ok")
        about: Row = (mark, Styled(f"{loaded.id} ({examples} example{'s' if examples != 1 else ''})"))
        output.show([about, *((Styled(f"       {visible(fault)}"),) for fault in wrong)], colour)
    output.write(f"{len(rules)} rule{'s' if len(rules) != 1 else ''}, {failed} failed\n")
    return exits.FINDINGS if failed else exits.OK
