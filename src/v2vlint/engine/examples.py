"""Run the examples of a rule, for the generated tests, ``v2vlint explain`` and third-party packs."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping

from v2vlint import target
from v2vlint.disk.hives.edit import HiveDraft
from v2vlint.engine.run import Outcome, run_rule
from v2vlint.facts.registry import FactStore
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Finding
from v2vlint.model.fix import CopyFile, Edit, RegistryDeleteKey, RegistryEdit, RegistrySet, WriteData
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Span
from v2vlint.model.rewrite import StaleEdit, rewrite
from v2vlint.model.rule import Content, Example, Hive, Rule
from v2vlint.samples.memory import memory_guest
from v2vlint.samples.regf import make_hive

_LINUX = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64")
_WINDOWS = OsInfo("windows", "windows", "windows", "Windows 10 Pro", "10.0.19045", "x86_64")


def example_store(example: Example) -> FactStore:
    """The facts of an example: its files, defaults (a Debian or Windows 10 without known disks or machine), and what it supplies itself."""
    guest = memory_guest(example.files, example.uuid)
    system = _WINDOWS if guest.is_dir("/Windows/System32") else _LINUX
    there = target.load(example.target)
    return FactStore((guest, BlockTable(), system, Definition("", ""), there, example.mover, *example.given))


def run_example(rule: Rule, example: Example) -> Outcome:
    """Judge one example."""
    return run_rule(rule, example_store(example))


def apply_edits(files: Mapping[str, Content], edits: Iterable[Edit]) -> dict[str, Content]:
    """The files of an example after ``edits``. StaleEdit when they do not apply."""
    edits, guest, done = tuple(dict.fromkeys(edits)), memory_guest(files), dict(files)

    def read(path: str) -> str | None:
        text = guest.text(path)
        return None if text is None else text.content

    for path, (_before, after) in rewrite(edits, read).items():
        done.pop(path, None)
        if after is not None:
            done[path] = after
    for edit in edits:
        if isinstance(edit, CopyFile | WriteData):
            if guest.exists(edit.path) and not (isinstance(edit, WriteData) and edit.expect):
                raise StaleEdit(f"{edit.path} already exists")
            done[edit.path] = edit.data if isinstance(edit, WriteData) else files[edit.source]
    return done | _hives(guest, edits)


def _hives(guest: GuestFS, edits: Iterable[Edit]) -> dict[str, Content]:
    hives: dict[str, list[RegistryEdit]] = {}
    for edit in edits:
        if isinstance(edit, RegistrySet | RegistryDeleteKey):
            hives.setdefault(edit.hive, []).append(edit)
    return {path: Hive(HiveDraft(io.BytesIO(guest.read(path) or b""), path).edited(found)) for path, found in hives.items()}


def same_content(one: Content | None, other: Content | None) -> bool:
    """Whether two files of examples are equal; hives are compared by keys and values."""
    if isinstance(one, Hive) and isinstance(other, Hive):
        return _hive_text(one) == _hive_text(other)
    return one == other


def _hive_text(hive: Hive) -> str:
    return HiveDraft(io.BytesIO(make_hive(hive.text)), "").text()


def flag_of(finding: Finding) -> str:
    """The place of a finding in the notation of examples: ``PATH:LINE``, ``PATH``, ``PATH:KEY:VALUE``, or a device name."""
    where = finding.where
    return f"{where.path}:{where.line}" if isinstance(where, Span) else str(where)
