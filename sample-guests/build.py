"""Build sample guests: ``sample-guests/build.py [ID…] -o DIR``; without IDs, all of them. Prints the disks of each guest, joined by ``+``.

From Python: :func:`guestbuild.samples.build_guest` and :func:`guestbuild.samples.cached`.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from guestbuild.samples import build_guest, recipes
from guestbuild.tools import BuildError


def main() -> int:
    """Build the guests named on the command line."""
    parser = argparse.ArgumentParser(description="Build sample guests as qcow2 images.")
    parser.add_argument("ids", nargs="*", metavar="ID", help="guests to build, or folders with a guest.toml (all)")
    parser.add_argument("-o", "--output", type=Path, default=Path(), help="directory for the images (.)")
    parser.add_argument("--list", action="store_true", help="list the guests and stop")
    options = parser.parse_args()
    if options.list:
        print("\n".join(f"{name}: {recipe.title}" for name, recipe in recipes().items() if not options.ids or name in options.ids))
        return 0
    for name in options.ids or recipes():
        start = time.monotonic()
        try:
            images = build_guest(name, options.output)
        except BuildError as error:
            sys.stderr.write(f"{name}: {error}\n")
            return 1
        print("+".join(map(str, images)))
        sys.stderr.write(f"{name}: {time.monotonic() - start:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
