"""The shape of the code: one name for one class, and imports that go one way."""

from __future__ import annotations

import ast
import collections
import graphlib
import re
from collections.abc import Iterator
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("v2vlint", "v2vlint_checks", "pytest_v2vlint")


def _sources() -> list[Path]:
    return [path for folder in ("src", "checks", "pytest_plugin") for path in sorted((ROOT / folder).rglob("*.py"))]


def _classes() -> Iterator[tuple[str, str]]:
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                yield node.name, str(path.relative_to(ROOT))


def test_no_two_classes_have_the_same_name() -> None:
    places = collections.defaultdict(list)
    for name, place in _classes():
        places[name].append(place)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_objects_have_types() -> None:
    spelled = re.compile(r"(dict|Mapping)\[str, Any\]")
    found = {str(path.relative_to(ROOT)) for path in _sources() if spelled.search(path.read_text(encoding="utf-8"))}
    assert found == {"src/v2vlint/model/plain.py"}


def test_no_imports_go_in_a_circle() -> None:
    graph = grimp.build_graph(*PACKAGES, exclude_type_checking_imports=True, cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    graphlib.TopologicalSorter(imports).prepare()  # CycleError names the modules of a circle


def test_values_are_cached_in_one_way() -> None:
    by_hand = re.compile(r"^    _cache: ", re.MULTILINE)
    found = [str(path.relative_to(ROOT)) for path in _sources() if by_hand.search(path.read_text(encoding="utf-8"))]
    assert found == []  # functools.cached_property, also in frozen classes (without slots)


def test_a_line_does_not_start_with_all_blank_lines_before_it() -> None:
    r"""``^\s*`` with MULTILINE takes n² steps on n empty lines: ``^[ \t]*`` or ``^[^\S\n]*`` stay on theirs."""
    many_lines, greedy = re.compile(r"MULTILINE|\bre\.M\b|\(\?[a-z]*m[a-z]*\)"), re.compile(r"\^\(?(\?:)?(\[[^\]]*\]\??)?\\s[*+]")
    sources = {path: path.read_text(encoding="utf-8") for path in _sources()}
    assert [str(path.relative_to(ROOT)) for path, text in sources.items() if many_lines.search(text) and greedy.search(text)] == []


def test_a_test_ends_the_programs_that_it_starts() -> None:
    """Popen's own context waits for a server that nobody ends: a test that failed in it took the whole run with it."""
    bare = re.compile(r"with (\w+\.)?Popen\(")
    found = {str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("*.py") if bare.search(path.read_text(encoding="utf-8"))}
    assert found == {"tests/programs.py"}


def test_nothing_is_defined_that_nobody_names() -> None:
    """Names that occur once in all sources: dead code. Found by words, so it misses much, and never accuses what is used."""
    words: collections.Counter[str] = collections.Counter()
    for path in (
        *_sources(),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "src").rglob("*.toml"),
        *(ROOT / "docs").glob("*.md"),
        ROOT / "pyproject.toml",
    ):
        words.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    rules = {ROOT / "checks", ROOT / "pytest_plugin"}  # found by pytest, or by walking the package
    alone = {
        (str(path.relative_to(ROOT)), node.name)
        for path in _sources()
        if not rules & set(path.parents)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and words[node.name] == 1 and not node.name.startswith("__")
        if not any(ast.unparse(one) == "provides" for one in node.decorator_list)
    }
    assert alone == set()  # but for readall, which io.RawIOBase has
