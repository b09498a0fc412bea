"""Running the system's image tools, each failure with the command and what it printed."""

from __future__ import annotations

import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from pathlib import Path

_PATH = f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
_NAMESPACE = uuid.UUID("7e3b6bd4-6a57-4c6b-9d7e-0f2b1f0a5c11")


class BuildError(Exception):
    """An image cannot be built; the message names the tool or the recipe's line."""


def run(*command: str | Path, stdin: str = "", cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """Run ``command`` and give what it printed; BuildError with its output when it fails or is not installed."""
    words = [str(word) for word in command]
    tool = shutil.which(words[0], path=_PATH)
    if tool is None:
        raise BuildError(f"{words[0]} is not installed (see packages.apt)")
    environment = {**os.environ, "PATH": _PATH, "LC_ALL": "C.UTF-8", **(env or {})}
    done = subprocess.run(
        [tool, *words[1:]], input=stdin, cwd=cwd, env=environment, text=True, errors="replace", capture_output=True, check=False
    )
    if done.returncode:
        raise BuildError(f"{' '.join(words)[:300]} failed ({done.returncode}): {(done.stderr or done.stdout).strip()[-2000:]}")
    return done.stdout


def stable_uuid(*name: str) -> str:
    """A UUID that is the same for the same name in every build."""
    return str(uuid.uuid5(_NAMESPACE, "/".join(name)))


def write_at(image: Path, offset: int, data: bytes) -> None:
    """Overwrite bytes of an existing file."""
    with image.open("r+b") as stream:
        stream.seek(offset)
        stream.write(data)


def copy_into(image: Path, offset: int, part: Path) -> None:
    """Copy the file ``part`` into ``image`` at ``offset``, keeping holes."""
    run("dd", f"if={part}", f"of={image}", "bs=1M", f"seek={offset}", "oflag=seek_bytes", "conv=notrunc,sparse", "status=none")


def blank(path: Path, size: int) -> Path:
    """A new sparse file of ``size`` bytes."""
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


def to_qcow2(raw: Path, image: Path, options: Sequence[str] = ()) -> Path:
    """Convert a raw image to qcow2 and drop the raw one."""
    partial = image.with_suffix(".partial")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", *options, raw, partial)
    raw.unlink()
    return partial.rename(image)
