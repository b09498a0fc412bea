"""Lines out of terminal streams: real output of firmware, GRUB and systemd, and hostile bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2vlint.console.terminal import MAX_LINE, MAX_SEQUENCE, Terminal

CASES = [
    (b"one\r\ntwo\nthree", ["one", "two"], "three"),
    (b"\x1b[0;32m  OK  \x1b[0m] Reached target \x1b[0;1;39mlocal-fs.target\x1b[0m.\r\n", ["  OK  ] Reached target local-fs.target."], ""),
    # GRUB through SeaBIOS jumps to the column it is at, in the middle of a word
    (
        b"\x1b[01;01H\x1b[2J  Booting `Debian'\r\n\nLoad\x1b[03;04H\x1b[03;05Hing Linux ...\r\n",
        ["  Booting `Debian'", "Loading Linux ..."],
        "",
    ),
    (b"\x1b[05;02Hmenu\x1b[06;02Hentry\x1b[6;40H!", ["menu"], "entry!"),
    (b"[   *] job (5s)\r[  * ] job (6s)\r", ["[   *] job (5s)", "[  * ] job (6s)"], ""),
    ("waiting for \x1b[0;1;…94f - \x1b[0m/dev/sdb\n".encode(), ["waiting for …94f - /dev/sdb"], ""),
    (b"abc\b\bXY\n", ["aXY"], ""),
    (b"title \x1b]0;window\x07done\n", ["title done"], ""),
    (b"\x1b(B\x1b[mguest login: ", [], "guest login: "),
    ("Gave up… \xe9\n".encode(), ["Gave up… é"], ""),
    (b"\xff\xfe\x00broken\n", ["\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}broken"], ""),
    (b"\n\n  \n", [], ""),
]


@pytest.mark.parametrize(("stream", "lines", "partial"), CASES)
def test_lines(stream: bytes, lines: list[str], partial: str) -> None:
    terminal = Terminal()
    assert list(terminal.feed(stream)) == lines
    assert terminal.partial == partial


@pytest.mark.parametrize(("stream", "lines", "partial"), CASES)
def test_lines_do_not_depend_on_how_the_stream_arrives(stream: bytes, lines: list[str], partial: str) -> None:
    terminal = Terminal()
    found = [line for index in range(len(stream)) for line in terminal.feed(stream[index : index + 1])]
    assert (found, terminal.partial) == (lines, partial)


def test_a_line_without_end_is_cut() -> None:
    terminal = Terminal()
    lines = list(terminal.feed(b"x" * (3 * MAX_LINE)))
    assert [len(line) for line in lines] == [MAX_LINE, MAX_LINE]
    assert len(terminal.partial) == MAX_LINE


def test_a_sequence_without_end_does_not_swallow_the_rest() -> None:
    terminal = Terminal()
    assert list(terminal.feed(b"\x1b[" + b"0;" * MAX_SEQUENCE + b"\nlogin:\n"))[-1] == "login:"


@given(st.lists(st.binary(max_size=300), max_size=5))
def test_any_bytes(chunks: list[bytes]) -> None:
    terminal = Terminal()
    for chunk in chunks:
        for line in terminal.feed(chunk):
            assert line == line.rstrip()
            assert "\x1b" not in line
            assert len(line) <= MAX_LINE
