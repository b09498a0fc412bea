"""Build sample guests: ``sample-guests/build.py [ID…] -o DIR``; without IDs, all of them. Prints the disks of each guest, joined by ``+``.

From Python: ``build_guest(ID, DIR)`` gives the same as a tuple of paths, ``recipes()`` all recipes, ``cached(ID)`` builds once per cache.
"""

from __future__ import annotations

import argparse
import fcntl
import functools
import hashlib
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from guestbuild.debian import cache_dir  # noqa: E402
from guestbuild.image import build  # noqa: E402
from guestbuild.recipe import Recipe, load  # noqa: E402
from guestbuild.tools import BuildError  # noqa: E402


@functools.cache
def recipes() -> dict[str, Recipe]:
    """All recipes by id."""
    return {path.parent.name: load(path.parent) for path in sorted(HERE.glob("*/guest.toml"))}


def build_guest(name: str, output: Path) -> tuple[Path, ...]:
    """Build one guest; the paths of its disks in order."""
    if name not in recipes():
        raise BuildError(f"no sample guest {name!r}; there are {', '.join(recipes())}")
    return build(recipes()[name], HERE / name, output)


def cached(name: str) -> tuple[Path, ...]:
    """The disks of one guest from the cache (see :func:`guestbuild.debian.cache_dir`), built when its recipe or the builder changed."""
    sources = [*sorted((HERE / "guestbuild").glob("*.*")), *sorted(path for path in (HERE / name).rglob("*") if path.is_file())]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    folder = cache_dir() / "samples" / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".done"
        if not done.exists():
            build_guest(name, folder)
            done.touch()
    return tuple(sorted(folder.glob("*.qcow2")))


def main() -> int:
    """Build the guests named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("ids", nargs="*", metavar="ID")
    parser.add_argument("-o", "--output", type=Path, default=Path(), help="directory for the images")
    parser.add_argument("--list", action="store_true", help="list the guests and stop")
    options = parser.parse_args()
    for name in options.ids or recipes():
        if options.list:
            print(f"{name}: {recipes()[name].title}")
            continue
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
