"""A baseline file: findings that are already known, so that only new ones count. JSON with one finding per line, for readable diffs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from v2vlint.model.codec import parse
from v2vlint.model.errors import UsageError
from v2vlint.model.report import FindingReport, ImageReport

VERSION = 1
MAX_SIZE = 64 << 20


def entries(images: Iterable[ImageReport]) -> list[str]:
    """The lines of a baseline: one for every finding of ``images`` that no exception covers."""
    return sorted({_line(image, report) for image in images for report in _findings(image) if not report.exception})


def render(lines: Iterable[str]) -> str:
    """A baseline of these :func:`entries`."""
    return f'{{"v2vlint_baseline": {VERSION}, "findings": [\n' + ",\n".join(lines) + "\n]}\n"


def _line(image: ImageReport, report: FindingReport) -> str:
    finding = report.finding
    known = {
        "image": image.name,
        "rule": finding.rule,
        "where": str(finding.where),
        "message": finding.message,
        "fingerprint": report.fingerprint,
    }
    return json.dumps(known)


def _findings(image: ImageReport) -> Iterator[FindingReport]:
    for _device, target in image.judged():
        for result in target.results:
            yield from result.findings


def read(path: Path) -> frozenset[str]:
    """The fingerprints in a baseline file. UsageError when it is not one."""
    try:
        with path.open("rb") as stream:
            data = parse(stream.read(MAX_SIZE + 1))
        if data["v2vlint_baseline"] != VERSION:
            raise UsageError(f"{path}: baseline of version {data['v2vlint_baseline']}, this v2vlint reads {VERSION}")
        return frozenset(str(known["fingerprint"]) for known in data["findings"])
    except OSError as error:
        hint = "create it with 'v2vlint baseline'" if isinstance(error, FileNotFoundError) else ""
        raise UsageError(f"{path}: {(error.strerror or 'cannot be read').lower()}", hint=hint) from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a baseline file") from error
