"""Collect reasons for missing answers: an inspection reports what it can, and names the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from v2vlint.model.errors import FactUnavailable
from v2vlint.model.report import Problem

T = TypeVar("T")


class Gaps:
    """Collects the reasons for missing answers."""

    def __init__(self) -> None:
        self.problems: dict[tuple[str, str], Problem] = {}

    def ask(self, question: Callable[[], T], default: T) -> T:
        """The answer, or ``default`` with the reason recorded. A parser's crash is a reason too."""
        try:
            return question()
        except MemoryError:
            raise
        except FactUnavailable as reason:
            self.add(Problem(str(reason.where), reason.reason))
        except Exception as error:
            self.add(Problem("", f"reading it failed: {type(error).__name__}: {error}"))
        return default

    def add(self, problem: Problem) -> None:
        """Record a reason once."""
        self.problems.setdefault((problem.where, problem.reason), problem)
