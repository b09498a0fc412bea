"""A pytest plugin and its reader: which tests run which lines, so that a mutant is tried by those and not by a whole part of the suite."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest
from coverage.numbits import numbits_to_nums


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Name the lines that run from here on after ``item``, with the fixtures that it is the first to need."""
    measured = coverage.Coverage.current()
    if measured is not None:
        measured.switch_context(item.nodeid)
    yield
    if measured is not None:
        measured.switch_context("")


@dataclass
class Lines:
    """The tests that ran each line: from one run of some tests under coverage, kept in ``data``."""

    data: Path
    _tests: dict[str, dict[int, list[str]]] = field(default_factory=dict, init=False)

    def measure(self, tests: Sequence[str], source: Sequence[str]) -> None:
        """Run ``tests`` once, in a process of their own; RuntimeError when they fail before anything was mutated."""
        wanted = ["-p", "tests.mutants.contexts", "-q", "-m", "not slow and not truth", *tests]
        command = [
            sys.executable,
            "-m",
            "coverage",
            "run",
            "--rcfile=/dev/null",
            f"--data-file={self.data}",
            f"--source={','.join(source)}",
        ]
        done = subprocess.run([*command, "-m", "pytest", *wanted], check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            raise RuntimeError(f"the tests fail before anything is mutated:\n{done.stdout[-2000:]}")

    def tests_of(self, module: Path, first: int, last: int) -> list[str]:
        """The tests that ran a line from ``first`` to ``last`` of ``module``; none for what runs when it is imported."""
        name = str(module)
        if name not in self._tests:
            self._tests[name] = self._read(name)
        found = [test for line in range(first, last + 1) for test in self._tests[name].get(line, ())]
        return list(dict.fromkeys(found))

    def _read(self, module: str) -> dict[int, list[str]]:
        question = (
            "select context.context, line_bits.numbits from line_bits join file on file.id = line_bits.file_id"
            " join context on context.id = line_bits.context_id where file.path like ? and context.context != ''"
        )
        lines: dict[int, list[str]] = {}
        with sqlite3.connect(self.data) as database:
            rows = database.execute(question, (f"%/{module}",)).fetchall()
        for test, bits in rows:
            for line in numbits_to_nums(bits):
                lines.setdefault(line, []).append(test)
        return lines


def main(arguments: Sequence[str]) -> int:
    """Run the tests listed in a file: 1 when one notices, 0 when none does or none was found, which the caller tries otherwise."""
    status = pytest.main(["-x", "-q", "-p", "no:cacheprovider", f"@{arguments[0]}"])
    return int(status not in (pytest.ExitCode.OK, pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.NO_TESTS_COLLECTED))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
