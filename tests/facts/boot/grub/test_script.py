"""GRUB's scripting language: words, blocks, and what does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2vlint.facts.boot.grub.script import Block, Command, Function, If, Literal, Loop, Variable, Word, parse_script, read_word
from v2vlint.guest.text import GuestText


def _parse(text: str) -> Block:
    script = parse_script(GuestText("/g", text))
    assert not script.malformed
    return script.body


def _show(word: Word) -> str:
    return "".join(f"${part.name}" if isinstance(part, Variable) else part.text.text for part in word.parts)


def _words(text: str) -> list[str]:
    (command,) = _parse(text)
    assert isinstance(command, Command)
    return [_show(word) for word in command.words]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("linux /vmlinuz ro # comment", ["linux", "/vmlinuz", "ro"]),
        ("echo 'a b' \"c d\" e\\ f", ["echo", "a b", "c d", "e f"]),
        ("set prefix=($root)'/boot/grub'", ["set", "prefix=($root)/boot/grub"]),
        ('echo "x${a}y$b" $1 $? ${?}', ["echo", "x$ay$b", "$1", "$?", "$?"]),
        ('echo "a\\"b\\$c\\\\d\\e"', ["echo", 'a"b$c\\d\\e']),
        ("linux /vmlinuz \\\n ro", ["linux", "/vmlinuz", "ro"]),
        ("echo a#b $", ["echo", "a#b", "$"]),
        ("echo ''", ["echo", ""]),
        ('echo "two\\\nlines"', ["echo", "twolines"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert _words(text) == words


def test_only_unquoted_text_is_bare() -> None:
    source = GuestText("/g", "'if' if")
    assert read_word(source, 0).bare == ""
    assert read_word(source, 5).bare == "if"
    assert isinstance(read_word(source, 0).parts[0], Literal)


def test_blocks() -> None:
    body = _parse("menuentry 'a' --id x {\n linux /k; initrd /i\n}\nfunction f { true; }\nfor x in a b; do echo $x; done\n")
    assert [type(statement) for statement in body] == [Command, Function, Loop]
    entry = body[0]
    assert isinstance(entry, Command)
    assert entry.body is not None
    assert len(entry.body) == 2


def test_conditions_nest() -> None:
    (found,) = _parse("if a; then b; elif c; then d; if e; then f; fi; else g; fi\n")
    assert isinstance(found, If)
    assert len(found.branches) == 2
    assert len(found.branches[1][1]) == 2
    assert len(found.otherwise) == 1


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("}\necho a\n", 1),
        ("if a; then b\n", 1),
        ("echo a\nmenuentry x {\n linux /k\n", 2),
        ("function {\n}\n", 1),
        ("function f\necho\n", 1),
        ("fi\n", 1),
        ("{ }\n", 1),
        ("while a; do b\n", 1),
        ("menuentry x {\n fi\n linux /k\n}\n", 2),
    ],
)
def test_what_does_not_fit_is_malformed(text: str, line: int) -> None:
    assert parse_script(GuestText("/g", text)).malformed[0].line == line


def test_the_rest_is_still_read() -> None:
    script = parse_script(GuestText("/g", "fi\nmenuentry x {\n done\n linux /k\n}\n"))
    (entry,) = script.body
    assert isinstance(entry, Command)
    assert entry.body is not None
    assert len(entry.body) == 1


def test_depth_is_limited() -> None:
    script = parse_script(GuestText("/g", "if a; then " * 500))
    assert script.malformed


def test_endless_scripts_are_cut() -> None:
    script = parse_script(GuestText("/g", "a\n" * 35_000))
    assert len(script.body) == 30_000
    assert script.malformed[0].line == 30_000


@given(st.text(alphabet="ab{}$'\"\\;\n #=[]()", max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_is_survived(text: str) -> None:
    parse_script(GuestText("/g", text))
