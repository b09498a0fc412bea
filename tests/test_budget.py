"""The size budget of the code: small functions, small files, everything annotated, few type escapes."""

from __future__ import annotations

import ast
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PRODUCT = ("src", "checks", "pytest_plugin", "sample-guests", "bench")
MAX_FILE = 400
MAX_FUNCTION = 60
MEDIAN_FUNCTION = 10
P95_FUNCTION = 40
LINES_PER_IGNORE = 1000

Function = ast.FunctionDef | ast.AsyncFunctionDef


def _sources(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def _functions(folders: tuple[str, ...]) -> Iterator[tuple[str, Function]]:
    for path in _sources(*folders):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def _length(function: Function) -> int:
    return (function.end_lineno or function.lineno) - function.lineno + 1


def _unannotated(function: Function) -> bool:
    arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    named = [argument for argument in arguments if argument.arg not in ("self", "cls")]
    return function.returns is None or any(argument.annotation is None for argument in named)


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in _sources(*PRODUCT, "tests")}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_FILE} == {}


def test_functions_are_short() -> None:
    lengths = sorted(_length(function) for _place, function in _functions(PRODUCT))
    assert statistics.median(lengths) <= MEDIAN_FUNCTION
    assert lengths[int(len(lengths) * 0.95)] <= P95_FUNCTION


@pytest.mark.parametrize("folder", [*PRODUCT, "tests"])
def test_no_function_is_long(folder: str) -> None:
    assert {place: _length(function) for place, function in _functions((folder,)) if _length(function) > MAX_FUNCTION} == {}


@pytest.mark.parametrize("folder", [*PRODUCT, "tests"])
def test_everything_is_annotated(folder: str) -> None:
    assert [place for place, function in _functions((folder,)) if _unannotated(function)] == []


def test_few_type_escapes_each_with_its_code() -> None:
    lines = [line for path in _sources(*PRODUCT) for line in path.read_text(encoding="utf-8").splitlines()]
    escapes = [line for line in lines if "# type: ignore" in line]
    assert [line for line in escapes if "# type: ignore[" not in line] == []
    assert len(escapes) <= len(lines) / LINES_PER_IGNORE


def test_modules_say_what_they_are() -> None:
    undocumented = [str(path.relative_to(ROOT)) for path in _sources(*PRODUCT) if not ast.get_docstring(ast.parse(path.read_text("utf-8")))]
    assert undocumented == []
