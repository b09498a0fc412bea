"""The sample guests beside this package: all recipes, and their images, built once per cache."""

from __future__ import annotations

import dataclasses
import fcntl
import functools
import hashlib
from pathlib import Path

from guestbuild.debian import cache_dir
from guestbuild.image import build
from guestbuild.recipe import Recipe, load
from guestbuild.tools import BuildError

HOME = Path(__file__).resolve().parents[1]


@functools.cache
def recipes(home: Path = HOME) -> dict[str, Recipe]:
    """All recipes of a folder by id; those whose name starts with ``_`` are there for others to be like."""
    return {path.parent.name: load(path.parent) for path in sorted(home.glob("[!_]*/guest.toml"))}


def build_guest(name: str, output: Path) -> tuple[Path, ...]:
    """Build one guest into ``output``; the paths of its disks in order. ``name`` may be a folder elsewhere that holds a recipe."""
    if (Path(name) / "guest.toml").is_file():
        return build(load(Path(name)), Path(name), output)
    if name not in recipes():
        raise BuildError(f"no sample guest {name!r}; there are {', '.join(recipes())}")
    return build(recipes()[name], HOME / name, output)


def cached(name: str, home: Path = HOME) -> tuple[Path, ...]:
    """The disks of one guest from the cache (see :func:`guestbuild.debian.cache_dir`), built when its recipe or the builder changed."""
    content = dataclasses.replace(recipes(home)[name], title="", story="", forecast={}, expect=())
    sources = [*sorted((HOME / "guestbuild").glob("*.*")), *sorted((home / name).glob("*/**/*"))]
    parts = [repr(content).encode(), *(path.read_bytes() for path in sources if path.is_file())]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()[:12]
    folder = cache_dir() / "samples" / f"{name}-{digest}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = folder / ".done"
        if not done.exists():
            build(recipes(home)[name], home / name, folder)
            done.touch()
    return tuple(sorted(folder.glob("*.qcow2")))
