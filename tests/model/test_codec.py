"""What a child answers is taken only where it fits, whatever it sends."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2vlint.model.codec import MAX_DEPTH, conform, decode, encode, parse
from v2vlint.model.finding import Severity
from v2vlint.model.place import Device, Span, Token, Where, WholeFile


@dataclass(frozen=True)
class Node:
    """A value with all kinds of fields."""

    name: str
    where: Where | None = None
    severity: Severity = Severity.INFO
    parts: tuple[Node, ...] = ()
    data: bytes = b""
    pairs: Mapping[str, int] = field(default_factory=dict)
    several: frozenset[str] = frozenset()


NODES: st.SearchStrategy[Node] = st.deferred(
    lambda: st.builds(
        Node,
        st.text(st.characters(codec=None)),
        st.one_of(st.none(), st.builds(WholeFile, st.text()), st.builds(Device, st.text())),
        st.sampled_from(Severity),
        st.lists(NODES, max_size=2).map(tuple),
        st.binary(),
        st.dictionaries(st.text(), st.integers()),
        st.frozensets(st.text()),
    )
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text() | st.just("$"), children, max_size=4),
)


@given(NODES)
@settings(max_examples=60, deadline=None)
def test_what_is_encoded_comes_back_equal(node: Node) -> None:
    assert decode(Node, parse(json.dumps(encode(node)))) == node
    assert conform(node) == node


@given(JSON)
@settings(max_examples=200, deadline=None)
def test_any_other_data_is_refused_with_an_error_that_callers_catch(data: Any) -> None:
    for kind in (Node, tuple[Node, ...], Mapping[str, Node], Where, frozenset[Severity]):
        try:
            decode(kind, data)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            continue
        assert data in ([], 1, 2, 3) or isinstance(data, list)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 100_000])
@pytest.mark.parametrize("text", ["[", '{"a":', '[{"]":'])
def test_deep_nesting_is_refused_before_it_is_parsed(text: str, depth: int) -> None:
    with pytest.raises(ValueError, match="nested deeper"):
        parse(text * depth)


def test_brackets_in_texts_do_not_count() -> None:
    text = ["[{" * 1000, '"[' * 1000, "\\[" * 1000, "\\"]
    assert parse(json.dumps(text)) == text
    assert parse(json.dumps(text).encode()) == text


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "", "{", '"', "[1,]", "'x'", "\x00", "1e999", "[-1e999]"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse(text)


def test_a_number_too_large_for_its_field_is_refused() -> None:
    with pytest.raises(ValueError, match="OverflowError"):
        decode(float, 10**400)


@pytest.mark.parametrize(
    ("node", "words"),
    [
        (Node(5), "name: expected str, found int"),  # type: ignore[arg-type]
        (Node("x", Token("a", Span("/a", 0, 1, 1))), "where: expected Span or WholeFile or Device or RegistryKey or None, found Token"),  # type: ignore[arg-type]
        (Node("x", parts=(Node("y", severity="high"),)), "parts: severity: 'high' is not a valid Severity"),  # type: ignore[arg-type]
        (Node("x", several=frozenset({1})), "several: expected str"),  # type: ignore[arg-type]
    ],
)
def test_the_field_that_does_not_fit_is_named(node: Node, words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        conform(node)


@pytest.mark.parametrize("data", ["abc", {"a": 1}, 5, None])
def test_a_text_is_no_list_of_its_letters(data: Any) -> None:
    with pytest.raises(TypeError):
        decode(tuple[str, ...], data)
