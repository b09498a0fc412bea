"""Shortens a long report: which findings are shown in full, and which are only counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from v2vlint.model.finding import Severity
from v2vlint.report.walk import Hit

PER_RULE = 3
MAX_WARNINGS = 10
MAX_INFOS = 3
MAX_GAPS = 4


def fold(found: Sequence[Hit]) -> tuple[list[Hit], list[Hit]]:
    """The findings to show and those to count, both in their order.

    The first few of each rule are shown, and the first ten warnings; infos only if there is nothing else and they are few.
    """
    remarks = [hit for hit in found if hit.severity is Severity.INFO]
    shown = list(_shown(found)) if len(remarks) < len(found) or len(remarks) > MAX_INFOS else remarks
    return shown, [hit for hit in found if hit not in shown]


def _shown(found: Sequence[Hit]) -> Iterator[Hit]:
    seen: Counter[str] = Counter()
    warnings = 0
    for hit in found:
        warnings += hit.severity is Severity.WARNING
        seen[hit.rule] += 1
        if hit.severity > Severity.INFO and seen[hit.rule] <= PER_RULE and (hit.severity is Severity.ERROR or warnings <= MAX_WARNINGS):
            yield hit


def counted(rest: Sequence[Hit]) -> str:
    """``2 info: no-guest-agent, open-vm-tools · 3 warning: fstab-device-name (3)``."""
    parts = []
    for level in sorted({hit.severity for hit in rest}, reverse=True):
        rules = Counter(hit.rule for hit in rest if hit.severity is level)
        names = ", ".join(f"{rule} ({number})" if number > 1 else rule for rule, number in rules.items())
        parts.append(f"{rules.total()} more {level.label}{'s' if level > Severity.INFO and rules.total() > 1 else ''}: {names}")
    return " · ".join(parts)
