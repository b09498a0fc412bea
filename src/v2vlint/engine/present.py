"""What a report adds to a finding: excerpt, the diff of its fix, and a fingerprint that survives shifted lines."""

from __future__ import annotations

import hashlib
from collections import Counter

from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.definition import Definition
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Finding
from v2vlint.model.fix import Fix
from v2vlint.model.place import Span, WholeFile
from v2vlint.model.report import Excerpt, FindingReport
from v2vlint.model.rewrite import StaleEdit, registry_changes, rewrite, unified

CONTEXT = 2
MAX_LINES = 12
MAX_WIDTH = 400
MAX_DIFF = 64 << 10


class Presenter:
    """Prepares the findings of one guest for reports, for one target, root after root."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._seen: Counter[str] = Counter()

    def present(self, finding: Finding, fs: GuestFS | None, definition: Definition | None = None) -> FindingReport:
        """``finding`` in the files of ``fs``, or in the machine's ``definition``, with everything a report shows."""
        text = _text(fs, definition, finding.where.path) if isinstance(finding.where, Span) else None
        excerpt = _excerpt(text, finding.where) if text and isinstance(finding.where, Span) else None
        diff = _diff(finding.fix, fs) if finding.fix and fs else ""
        return FindingReport(finding, self._fingerprint(finding, text), excerpt, diff)

    def _fingerprint(self, finding: Finding, text: GuestText | None) -> str:
        where = finding.where
        path = where.path if isinstance(where, Span | WholeFile) else str(where)
        # The folder of a definition does not matter: moving the file leaves its findings the same.
        path = path if path.startswith("/") else path.rpartition("/")[2]
        evidence = finding.message
        if text is not None and isinstance(where, Span):
            evidence = text.content[where.start : where.end].strip() or _line(text, where.line)
        key = "\0".join((finding.rule, self._image, path, " ".join(evidence.split())))
        # Equal lines are told apart by their order.
        self._seen[key] += 1
        return hashlib.sha256(f"{key}\0{self._seen[key]}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _text(fs: GuestFS | None, definition: Definition | None, path: str) -> GuestText | None:
    if not path.startswith("/"):
        return GuestText(path, definition.content) if definition is not None and definition.path == path else None
    try:
        return fs.text(path) if fs else None
    except FactUnavailable:
        return None


def _line(text: GuestText, number: int) -> str:
    return next((line.text for line in text.lines() if line.number == number), "")


def _excerpt(text: GuestText, where: Span) -> Excerpt:
    last = where.line + min(text.content.count("\n", where.start, max(where.start, where.end - 1)), MAX_LINES)
    first = max(1, where.line - CONTEXT)
    lines = tuple(line.text[:MAX_WIDTH] for line in text.lines() if first <= line.number <= last + CONTEXT)
    return Excerpt(where.path, first, lines)


def _diff(fix: Fix, fs: GuestFS) -> str:
    def read(path: str) -> str | None:
        text = fs.text(path)
        return None if text is None else text.content

    try:
        return unified(rewrite(fix.edits, read) | registry_changes(fix.edits))[:MAX_DIFF]
    except (FactUnavailable, StaleEdit):
        return ""
