"""A target is what its keys say. Nobody outside ``v2vlint.target`` asks what it is called, and a profile that only extends another one is
judged as that one."""

from __future__ import annotations

import ast
import functools
import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_v2vlint
import v2vlint
import v2vlint_checks
from v2vlint import target
from v2vlint.engine.examples import example_store, flag_of
from v2vlint.engine.packs import LoadedRule, load_all
from v2vlint.engine.run import run_rule
from v2vlint.facts.registry import FactStore
from v2vlint.model.rule import Example
from v2vlint.model.target import Target

RULES = load_all()
TURN = itertools.cycle(target.names())
FOLDERS = [Path(str(package.__file__)).parent for package in (v2vlint, v2vlint_checks, pytest_v2vlint)]
OWNER = Path(target.__file__).parent
SPEAKS_OF_THE_HYPERVISOR = {
    "v2vlint/defining/prepare.py",  # a libvirt domain of type kvm
    "v2vlint/facts/environment/chosen_hardware.py",  # whether a definition was written for the same hypervisor
    "v2vlint/proving/hardware.py",  # says that QEMU is not that hypervisor
}


def _each() -> Iterator[tuple[str, ast.Module]]:
    for folder in FOLDERS:
        for path in sorted(folder.rglob("*.py")):
            if not path.is_relative_to(OWNER):
                yield path.relative_to(folder.parent).as_posix(), ast.parse(path.read_text("utf-8"))


@functools.cache
def modules() -> dict[str, ast.Module]:
    """All modules but those of ``v2vlint.target``: parsed when they are asked for, as every process that tests imports this module."""
    return dict(_each())


def asked(tree: ast.AST, field: str) -> list[int]:
    """The lines on which ``field`` of something called a target decides something: it is compared, matched, looked up or taken apart."""
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == field and _is_target(node.value))
    return [node.lineno for node in found if _decides(node, parents)]


def _is_target(node: ast.expr) -> bool:
    name = node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""
    return name in ("target", "there", "profile")


def _decides(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    parent = parents[node]
    if isinstance(parent, ast.Call) and isinstance(parent.func, ast.Attribute):
        return node is parent.func or parent.func.attr in ("get", "fullmatch", "match", "search", "index", "pop")
    return isinstance(parent, ast.Compare | ast.Subscript | ast.Match | ast.Attribute | ast.BoolOp | ast.UnaryOp | ast.Tuple)


def test_nobody_asks_for_the_name_of_a_target() -> None:
    assert {module: lines for module, tree in modules().items() if (lines := asked(tree, "name"))} == {}


def test_nobody_asks_for_the_word_of_its_hypervisor() -> None:
    found = {module: lines for module, tree in modules().items() if (lines := asked(tree, "hypervisor"))}
    assert {module: lines for module, lines in found.items() if module not in SPEAKS_OF_THE_HYPERVISOR} == {}


@pytest.mark.parametrize(
    ("code", "caught"),
    [
        ("target.name == 'azure'", True),
        ("'ec2' in target.name", True),
        ("target.name.startswith('ec2')", True),
        ("TABLE[target.name]", True),
        ("TABLE.get(target.name)", True),
        ("self.target.name in TABLE", True),
        ("f'on {target.name}'", False),
        ("Report(target.name, mover)", False),
        ("raise NotApplicable(target.name)", False),
        ("{'target': target.name}", False),
        ("definition.name == 'azure'", False),
    ],
)
def test_the_question_is_recognised(code: str, *, caught: bool) -> None:
    assert bool(asked(ast.parse(code), "name")) == caught


@pytest.mark.parametrize("loaded", RULES, ids=lambda loaded: loaded.id)
def test_a_derived_profile_is_judged_as_its_base(loaded: LoadedRule) -> None:
    for example in type(loaded.rule).examples:
        store = example_store(example)
        for name in {example.target, next(TURN)}:
            base, mine = target.load(name), target.parse("mine", {"extends": name, "title": "mine"}, "mine")
            assert _judged(loaded, store, base, example) == _judged(loaded, store, mine, example)


def _judged(loaded: LoadedRule, store: FactStore, there: Target, example: Example) -> object:
    outcome = run_rule(loaded.rule, store.with_given(there, example.mover))
    assert not outcome.crashed, outcome.reason
    return outcome.status, [(flag_of(one), one.severity, one.fix) for one in outcome.findings], len(outcome.unknowns)
