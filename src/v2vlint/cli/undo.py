"""``v2vlint undo``: restore a guest to its state before a fix."""

from __future__ import annotations

import argparse
from pathlib import Path

from v2vlint.cli import exits, options, output
from v2vlint.model.errors import ImageError, V2vlintError
from v2vlint.report.escape import visible
from v2vlint.report.layout import Styled


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a fixed image; for a guest with several disks (A+B), any one of them")
    words = "even if the image was touched, moved or copied since, as long as none of the blocks to restore was written to"
    parser.add_argument("--force", action="store_true", help=words)
    options.add_colour(parser)


def run(args: argparse.Namespace) -> int:
    """Undo each image in turn. One of several that cannot be undone does not keep the others from it."""
    failed: list[V2vlintError] = []
    for name in args.images:
        try:
            _one(name, args)
        except V2vlintError as error:
            if len(args.images) == 1:
                raise
            output.say(f"v2vlint: {error.message}", *([f"  hint: {error.hint}"] if error.hint else []))
            failed.append(error)
    if not failed:
        return exits.OK
    return exits.NOT_EVALUATED if any(isinstance(error, ImageError) for error in failed) else exits.USAGE


def _one(name: str, args: argparse.Namespace) -> None:
    from v2vlint.fixing import transaction

    first = Path(name if Path(name).exists() else name.split("+")[0])
    if not first.exists():
        raise ImageError(f"{name}: no such file")
    with transaction.locked([first]):
        settled = transaction.recover(first, force=args.force)
        # That was what was asked for: one more undo would take back an earlier fix as well.
        if "undo" in settled or "reverted" in settled:
            output.write(f"{visible(name)}: {settled}\n")
            return
        undone = transaction.undo(first, force=args.force)
    titles = ", ".join(undone.titles)
    files = "the file is" if len(undone.members) == 1 else f"its {len(undone.members)} files are"
    told = (Styled(f"{visible(name)}: "), Styled("undone", "ok"), Styled(f": {visible(titles)}; {files} byte for byte as before"))
    output.show([told], output.colours(args.color))
