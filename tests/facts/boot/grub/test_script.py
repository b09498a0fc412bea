"""GRUB's scripting language: words, blocks, and what does not fit."""

from __future__ import annotations

import os
import random
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2vlint.facts.boot.grub.script import Block, Command, Function, If, Literal, Loop, Variable, Word, parse_script, read_word
from v2vlint.guest.text import GuestText

SCRIPTS = int(os.environ.get("V2VLINT_GRUB_SCRIPTS", "150"))


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
        ("echo a#b", ["echo", "a#b"]),
        ("set a=b\\\nc", ["set", "a=bc"]),
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
        ("function f\necho\n", 2),
        ("fi\n", 1),
        ("{ }\n", 1),
        ("while a; do b\n", 1),
        ("menuentry x {\n fi\n linux /k\n}\n", 2),
    ],
)
def test_what_does_not_fit_is_malformed(text: str, line: int) -> None:
    assert parse_script(GuestText("/g", text)).malformed[0].line == line


def test_grub_goes_on_behind_the_line_of_an_error() -> None:
    """Inside the block, too: what follows there runs at once, and its end is an error of its own."""
    script = parse_script(GuestText("/g", "fi\nmenuentry x {\n true; done\n linux /k\n}\ntrue; fi\nmenuentry y { true }\n"))
    assert [_show(found.words[0]) for found in script.body if isinstance(found, Command)] == ["linux", "menuentry"]
    assert [place.line for place in script.malformed] == [1, 3, 5, 6]


PIECES = (
    "if", "then", "elif", "else", "fi", "for", "in", "do", "done", "while", "until", "function", "menuentry", "x", "true", "a=b", '"q"',
    "'s'", "$x", "${x}", "$", "$1", "{", "}", "{", "}", ";", ";", "\n", "\n", "\n", "|", "<", "[[", "]]", "!", "#c", "a\\\nb", '"a\nb"',
    "select", "time", "x#y", '"a$"', '"$x"', "f1", "2a", "a-b", "é",
)  # fmt: skip
PARTS = (
    "if true; then true; fi", "if [ a ]\nthen\n true;\nfi", "menuentry x {\n true\n}", "function f {\n true\n}",
    "while true; do true; done", "for x in a b; do\ntrue; done", "true", "echo a b",
)  # fmt: skip


def _soup(seed: int) -> str:
    draw = random.Random(seed)
    if seed % 2:
        return " ".join(draw.choice(PIECES) for _ in range(draw.randrange(1, 14))) + draw.choice(("\n", ""))
    text = draw.choice(("\n", ";", "; ", "\n\n")).join(draw.choice(PARTS) for _ in range(draw.randrange(1, 4))) + "\n"
    for _ in range(draw.randrange(3)):
        at = draw.randrange(len(text))
        text = text[:at] + draw.choice((" ", "\n", ";", f" {draw.choice(PIECES)} ", "")) + text[at + draw.randrange(2) :]
    return text


@pytest.mark.skipif(not shutil.which("grub-script-check"), reason="needs grub-common")
def test_grub_finds_errors_where_we_do() -> None:
    for seed in range(SCRIPTS):
        text = _soup(seed)
        done = subprocess.run(["grub-script-check"], input=text, capture_output=True, text=True, check=False)
        refused = "yntax error" in done.stderr
        assert bool(parse_script(GuestText("/g", text)).malformed) == refused, (seed, text)


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
