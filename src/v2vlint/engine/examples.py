"""Running a rule's examples: the generated tests, ``v2vlint explain`` and third-party packs all use this."""

from __future__ import annotations

from v2vlint import target
from v2vlint.engine.run import Outcome, run_rule
from v2vlint.facts.registry import FactStore
from v2vlint.guest.memory import memory_guest
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Finding
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span
from v2vlint.model.rule import Example, Rule

_LINUX = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")


def example_store(example: Example) -> FactStore:
    """The facts of an example: its files, then defaults (a Debian with no known block devices, no definition), then what it gives."""
    guest = memory_guest(example.files)
    return FactStore((guest, BlockTable(), _LINUX, Definition("", ""), target.load(example.target), example.mover, *example.given))


def run_example(rule: Rule, example: Example) -> Outcome:
    """Judge one example."""
    return run_rule(rule, example_store(example))


def flag_of(finding: Finding) -> str:
    """How an example writes the place of a finding: ``PATH:LINE``, ``PATH``, or a device name."""
    where = finding.where
    return f"{where.path}:{where.line}" if isinstance(where, Span) else str(where)
