"""``v2vlint undo``: bring back what a guest was before it was fixed."""

from __future__ import annotations

import argparse
from pathlib import Path

from v2vlint.cli import exits, output
from v2vlint.model.errors import UsageError
from v2vlint.report.escape import visible


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a fixed image; of a guest with several disks (A+B) the first is enough")
    parser.add_argument("--force", action="store_true", help="even if the image changed since; what was written later may be lost")


def run(args: argparse.Namespace) -> int:
    """Undo each image in turn."""
    from v2vlint.fixing import transaction

    for name in args.images:
        first = Path(name.split("+")[0])
        if not first.is_file():
            raise UsageError(f"{name}: no such file")
        journal = transaction.read_journal(first)
        with transaction.locked([disk.image for disk in journal.disks] if journal else [first]):
            settled = transaction.recover(first)
            if "undo" in settled or "reverted" in settled:
                output.write(f"{visible(name)}: {settled}\n")
                continue
            undone = transaction.undo(first, force=args.force)
        titles = ", ".join(undone.titles)
        output.write(f"{visible(name)}: undone: {visible(titles)}\n")
    return exits.OK
