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

Lines = tuple[tuple[int, int], tuple[int, int]]


def sample(module: Path, seed: int) -> list[MutationSpec]:
    """The mutants of ``module`` that are tried with ``seed``: the same ones for the same text of the module."""
    inert = _inert(module)
    found = [mutant for mutant in mutants(module) if not _is_inert(mutant, inert)]
    lines = len(module.read_text(encoding="utf-8").splitlines())
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


def _inert(module: Path) -> list[Lines]:
    """Annotations, which are never evaluated; ``place=`` of a verdict, which says only where it stands; a rule's examples, its tests."""
    tree = ast.parse(module.read_text(encoding="utf-8"))
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or node.lineno, node.end_col_offset or 0))
        for node in _unevaluated(ast.walk(tree))
    ]


def _unevaluated(nodes: Iterable[ast.AST]) -> Iterator[ast.expr]:
    for node in nodes:
        if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation is not None:
            yield node.annotation
        elif isinstance(node, ast.FunctionDef) and node.returns is not None:
            yield node.returns
        elif isinstance(node, ast.Assign) and any(isinstance(target, ast.Name) and target.id == "examples" for target in node.targets):
            yield node.value
        elif isinstance(node, ast.ClassDef):
            yield from (keyword.value for keyword in node.keywords if keyword.arg == "place")
            yield from node.decorator_list


def _is_inert(mutant: MutationSpec, places: list[Lines]) -> bool:
    return any(start <= mutant.start_pos and mutant.end_pos <= end for start, end in places)
