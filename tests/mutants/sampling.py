"""Which mutants are tried: Cosmic Ray's, without those that cannot change what a program does, and of these a seeded sample."""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast_from_path
from cosmic_ray.plugins import get_operator, operator_names
from cosmic_ray.work_item import MutationSpec

LINES_PER_MUTANT, FEWEST, MOST = 8, 6, 20

# One mutant an operation: `==` becomes `!=` and not also `<`, `is`, `>=`. What is left out says the same thing again, or
# is equal to the code by nature (`is` for `==` of enumerations, a cache that is no more).
_OPERATORS = re.compile(
    r"core/(AddNot|ReplaceTrueWithFalse|ReplaceFalseWithTrue|ReplaceAndWithOr|ReplaceOrWithAnd|ReplaceBreakWithContinue"
    r"|ReplaceContinueWithBreak|ExceptionReplacer|NumberReplacer|ZeroIterationForLoop|ReplaceUnaryOperator_Delete_Not"
    r"|ReplaceBinaryOperator_(Add_Sub|Sub_Add|Mul_FloorDiv|FloorDiv_Mul|Mod_FloorDiv|LShift_RShift|RShift_LShift|BitOr_BitAnd|BitAnd_BitOr)"
    r"|ReplaceComparisonOperator_(Eq_NotEq|NotEq_Eq|Lt_LtE|LtE_Lt|Gt_GtE|GtE_Gt|Is_IsNot|IsNot_Is))"
)

_SIZE = re.compile(r"_?(MAX|CACHED)(_\w+)?")

Lines = tuple[tuple[int, int], tuple[int, int]]


def sample(module: Path, seed: int) -> list[MutationSpec]:
    """The mutants of ``module`` that are tried with ``seed``: the same ones for the same text of the module."""
    text = module.read_text(encoding="utf-8")
    inert = _inert(ast.parse(text))
    found = [mutant for mutant in mutants(module) if not _is_inert(mutant, inert) and not _is_dotted(mutant, text)]
    lines = len(text.splitlines())
    wanted = min(MOST, max(FEWEST, lines // LINES_PER_MUTANT))
    return random.Random(f"{seed} {module}").sample(found, min(wanted, len(found)))


def mutants(module: Path) -> Iterator[MutationSpec]:
    """Every mutant of ``module`` by the operators above."""
    nodes = list(ast_nodes(get_ast_from_path(module)))
    for name in filter(_OPERATORS.fullmatch, operator_names()):
        operator = get_operator(name)()
        places = [place for node in nodes for place in operator.mutation_positions(node)]
        for occurrence, (start, end) in enumerate(places):
            yield MutationSpec(module_path=str(module), operator_name=name, occurrence=occurrence, start_pos=start, end_pos=end)


def _inert(tree: ast.Module) -> list[Lines]:
    """Annotations, which are never evaluated; ``place=`` of a verdict, which says only where it stands; a rule's examples, its tests; the
    sizes of caches and limits, which may as well be another number (that there is a limit is a comparison elsewhere).
    """
    nodes: list[ast.expr | ast.stmt] = [*_unevaluated(ast.walk(tree)), *_of_examples(tree)]
    return [((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0)) for node in nodes]


def _unevaluated(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    for node in nodes:
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, ast.Assign) and any(name == "examples" or _SIZE.fullmatch(name) for name in _names(node)):
            yield node.value
        elif isinstance(node, ast.Call):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "maxsize")
        elif isinstance(node, ast.ClassDef):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "place")
            yield from node.decorator_list


def _of_examples(tree: ast.Module) -> Iterator[ast.stmt]:
    """What stands at the top of a rule's module for its examples alone: the guests, disks and lines that they are made of."""
    rules = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    found: list[ast.stmt] = [node for rule in rules for node in rule.body if isinstance(node, ast.Assign) and "examples" in _names(node)]
    if not found:
        return
    while more := [node for node in tree.body if node not in found and _names(node) and not _names(node) & _used(tree, found)]:
        found += more
        yield from more


def _names(node: ast.stmt) -> set[str]:
    """The names that a statement defines, unless it is a class or an import."""
    if isinstance(node, ast.FunctionDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return {target.id for target in targets if isinstance(target, ast.Name)}


def _used(tree: ast.Module, without: Iterable[ast.stmt]) -> set[str]:
    """The names that are read anywhere but in some statements."""
    passed = {id(inner) for node in without for inner in ast.walk(node)}
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in passed}


def _is_inert(mutant: MutationSpec, places: list[Lines]) -> bool:
    return any(start <= mutant.start_pos and mutant.end_pos <= end for start, end in places)


def _is_dotted(mutant: MutationSpec, text: str) -> bool:
    """``except struct.error``: Cosmic Ray replaces plain names only, and makes no Python of such a one."""
    (line, start), (_line, end) = mutant.start_pos, mutant.end_pos
    return mutant.operator_name.endswith("ExceptionReplacer") and "." in text.splitlines()[line - 1][start:end]
