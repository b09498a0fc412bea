"""Running a rule's examples: the generated tests, ``v2vlint explain`` and third-party packs all use this."""

from __future__ import annotations

from v2vlint import target
from v2vlint.engine.run import Outcome, run_rule
from v2vlint.facts.registry import FactStore
from v2vlint.guest.memory import memory_guest
from v2vlint.model.blocks import BlockTable
from v2vlint.model.finding import Finding
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span
from v2vlint.model.rule import Example, Rule

_LINUX = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")
_WINDOWS = OsInfo("windows", "windows", "windows", "Windows 10 Pro", "10.0.19045", "x86_64")


def example_store(example: Example) -> FactStore:
    """The facts of an example: its files, then defaults (a Debian or Windows 10 with no known block devices), then what it gives."""
    guest = memory_guest(example.files)
    system = _WINDOWS if guest.is_dir("/Windows/System32") else _LINUX
    return FactStore((guest, BlockTable(), system, target.load(example.target), example.mover, *example.given))


def run_example(rule: Rule, example: Example) -> Outcome:
    """Judge one example."""
    return run_rule(rule, example_store(example))


def flag_of(finding: Finding) -> str:
    """How an example writes the place of a finding: ``PATH:LINE``, ``PATH``, ``PATH:KEY:VALUE``, or a device name."""
    where = finding.where
    return f"{where.path}:{where.line}" if isinstance(where, Span) else str(where)
