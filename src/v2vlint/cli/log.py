"""``--verbose`` and ``--log-file``: the settings of a run, the files it opened, and the outcome of every rule; on stderr, and in a file."""

from __future__ import annotations

import argparse
import platform
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from v2vlint.cli import output
from v2vlint.model.errors import UsageError
from v2vlint.model.report import ImageReport, RuleResult
from v2vlint.model.source import GuestRef
from v2vlint.model.version import __version__
from v2vlint.report import words
from v2vlint.report.escape import visible
from v2vlint.report.walk import judged
from v2vlint.run.settings import Settings


def begin(args: argparse.Namespace, settings: Settings, guests: Sequence[GuestRef]) -> None:
    """Log the settings of the run."""
    config = settings.config
    lines = [
        f"v2vlint {__version__}, Python {platform.python_version()} ({sys.executable})",
        f"configuration: {config.folder / config.origin}" if config.origin else "configuration: none",
        f"targets: {', '.join(one.name for one in settings.targets)}; mover: {settings.mover.value}; profile: {settings.selection.profile}",
        f"limits: {words.size(settings.limits.memory)}, {settings.limits.cpu} s of processor time, {settings.limits.wall} s; "
        f"{words.count(settings.jobs, 'guest')} at a time",
        *(f"rules of your own: {folder}" for folder in settings.selection.folders),
        *(f"guest {guest.name}: {', '.join(guest.paths) or 'no file'}" for guest in guests),
    ]
    write(args, lines)


def told(args: argparse.Namespace, images: Iterable[ImageReport]) -> None:
    """The log lines about opened files and the outcome of every rule."""
    write(args, [line for image in images for line in _image(image)])


def write(args: argparse.Namespace, lines: Sequence[str]) -> None:
    """Write lines to stderr with ``--verbose``, and with the time to the end of ``--log-file``. UsageError when the file cannot be
    written.
    """
    if args.verbose:
        output.say(*lines)
    if not args.log_file:
        return
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    try:
        with Path(args.log_file).open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(f"{stamp} {visible(line)}\n" for line in lines)
    except OSError as error:
        raise UsageError(f"--log-file {args.log_file}: {(error.strerror or 'cannot be written').lower()}") from error


def _image(image: ImageReport) -> Iterator[str]:
    yield f"{image.name}: {words.count(len(image.roots), 'system')}, {image.seconds:.1f} s"
    yield from (f"{image.name}: read {words.opened(file)}" for file in image.files)
    yield from (f"{image.name}: {problem.where}: {problem.reason}" for problem in image.problems)
    for device, target, result in judged(image):
        where = ", ".join(filter(None, (device, target.target)))
        yield f"{image.name}: {where}: {result.rule}: {_outcome(result)}"


def _outcome(result: RuleResult) -> str:
    found = f", {words.count(len(result.findings), 'finding')}" if result.findings else ""
    reasons = (result.reason, *(f"{unknown.where}: {unknown.reason}" for unknown in result.unknowns))
    said = "; ".join(reason for reason in reasons if reason)
    return result.status.value.replace("_", " ") + found + (f" ({said})" if said else "")
