"""YAML with places: keys, quotes, edits in whole lines, merging, and documents that want to hurt."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, at
from v2vlint.facts.syntax.yaml_places import YamlNode, YamlProblem, compose, drop_item, insert_item, merge
from v2vlint.guest.text import GuestText
from v2vlint.model.fix import ReplaceText


def root(text: str, path: str = "/x.yaml") -> YamlNode:
    node = compose(GuestText(path, text))
    assert isinstance(node, YamlNode)
    return node


def apply(text: str, edit: ReplaceText | None) -> str | None:
    return None if edit is None else text[: edit.where.start] + edit.text + text[edit.where.end :]


def test_places_of_plain_quoted_and_flow_scalars() -> None:
    node = root("a:\n  b: one\n  'c': \"two\"\n  d: [x, 'y']\n")
    assert at(node.scalar("a", "b")) == "one@2:6"
    assert at(node.scalar("a", "c")) == "two@3:9"
    assert [at(token) for token in node.scalars("a", "d")] == ["x@4:7", "y@4:11"]
    assert node.get("a", "nothing", "there") is None


def test_the_last_of_two_equal_keys_counts() -> None:
    assert at(root("a: 1\na: 2\n").scalar("a")) == "2@2:4"


@pytest.mark.parametrize(("word", "true"), [("yes", True), ("True", True), ("on", True), ("no", False), ("1", False), ("[]", False)])
def test_words_for_true(word: str, true: bool) -> None:
    assert root(f"dhcp4: {word}\n").is_true("dhcp4") is true


BLOCK = "eth0:\n  match:\n    name: x   # why\n    driver: [a,\n      b]\n\n  # about it\n  mtu: 9000\n"


@pytest.mark.parametrize(
    ("text", "keys", "key", "expected"),
    [
        (BLOCK, ("eth0", "match"), "name", BLOCK.replace("    name: x   # why\n", "")),
        (BLOCK, ("eth0",), "match", "eth0:\n\n  # about it\n  mtu: 9000\n"),
        (BLOCK, ("eth0", "match"), "driver", BLOCK.replace("    driver: [a,\n      b]\n", "")),
        (BLOCK, ("eth0",), "absent", None),
        ("a: {b: 1, c: 2}\n", ("a",), "b", None),
        ("- a: 1\n  b: 2\n", (), "a", None),
        ("a:\n  b: 1\n", ("a",), "b", None),
        ("a:\n  b: |\n    text\n    more\n  c: 1\n", ("a",), "b", "a:\n  c: 1\n"),
        ("a:\r\n  b: 1\r\n  c: 2\r\n", ("a",), "b", "a:\r\n  c: 2\r\n"),
        ("a:\n  c: 2\n  b: 1", ("a",), "b", "a:\n  c: 2\n"),
    ],
)
def test_dropping_a_pair_takes_its_lines_and_no_others(text: str, keys: tuple[str, ...], key: str, expected: str | None) -> None:
    parent = root(text).get(*keys)
    assert parent is not None
    assert apply(text, drop_item(GuestText("/x.yaml", text), parent, key)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n    b: 1\n", "a:\n    new: x\n    b: 1\n"),
        ("a:\r\n  b: 1\r\n", "a:\r\n  new: x\r\n  b: 1\r\n"),
        ("a: {b: 1}\n", None),
        ("a: {}\n", None),
    ],
)
def test_inserting_a_pair_keeps_indentation_and_line_ends(text: str, expected: str | None) -> None:
    parent = root(text).get("a")
    assert parent is not None
    assert apply(text, insert_item(GuestText("/x.yaml", text), parent, "new: x")) == expected


def test_merging_unites_maps_joins_lists_and_replaces_the_rest() -> None:
    merged = merge(root("a: {x: 1, l: [1]}\nb: 1\n", "/one"), root("a: {y: 2, l: [2]}\nb: [3]\n", "/two"))
    a = merged.get("a")
    assert a is not None
    assert [key.text for key, _value in a.items] == ["x", "l", "y"]
    assert [str(token.where) for token in merged.scalars("a", "l")] == ["/one:1:15", "/two:1:15"]
    assert merged.get("b", "0") is None
    assert [token.value for token in merged.scalars("b")] == ["3"]


BOMB = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}' if n else '*a'] * 9)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (BOMB, "nested too deeply or too large"),
        ("a: &a [*a]\n", "nested too deeply or too large"),
        ("- " * 2000, "nested too deeply or too large"),
        ("[" * 3000, "nested too deeply or too large"),
        ("{a: [" * 30, "nested too deeply or too large"),
        ("x" * 200_000, "larger than 131072 characters"),
        ("a: b: c\n", "mapping values are not allowed here"),
        ("--- a\n--- b\n", "but found another document"),
        ("a: !!python/name:os.system\n  b\n  c: [", None),
        ("\x01", None),
    ],
)
def test_what_is_no_reasonable_document_is_a_problem_with_a_place(text: str, reason: str | None) -> None:
    problem = compose(GuestText("/x.yaml", text))
    assert isinstance(problem, YamlProblem)
    assert problem.where.path == "/x.yaml"
    assert problem.reason
    assert reason is None or problem.reason == reason


def test_tags_construct_nothing_and_bytes_that_are_no_utf8_are_read() -> None:
    node = root("a: !!python/object/apply:os.system ['true']\nb: caf\udce9\nc: 1\n")
    assert at(node.scalar("c")) == "1@3:4"
    assert [token.value for token in node.scalars("a")] == ["true"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "\ufeff# mark\n"])
def test_an_empty_document_is_none(text: str) -> None:
    result = compose(GuestText("/x.yaml", text))
    assert result is None or (isinstance(result, YamlNode) and result.text == "")


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    result = compose(GuestText("/x.yaml", text))
    assert result is None or isinstance(result, YamlNode | YamlProblem)
