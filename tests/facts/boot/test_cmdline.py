"""Kernel command lines: splitting, quoting, places, precedence."""

from __future__ import annotations

import pytest

from v2vlint.facts.boot.cmdline import (
    KernelArg,
    KernelCmdline,
    all_args,
    kernel_args,
    last_arg,
    parse_kernel_cmdline,
    plain_args,
    split_args,
    word_args,
)
from v2vlint.facts.syntax.located import join, literal
from v2vlint.guest.text import GuestText
from v2vlint.model.place import WholeFile
from v2vlint.samples.memory import memory_guest


def _args(text: str) -> tuple[KernelArg, ...]:
    return split_args(literal(GuestText("/f", text), 0, len(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  ro\tquiet  ", [("ro", None), ("quiet", None)]),
        ("root=UUID=1 console=ttyS0,115200n8", [("root", "UUID=1"), ("console", "ttyS0,115200n8")]),
        ('a="b c" d', [("a", "b c"), ("d", None)]),
        ('"a=b c" d', [("a", "b c"), ("d", None)]),
        ("a= b", [("a", ""), ("b", None)]),
        ("=x", [("", "x")]),
        ('unterminated="a b', [("unterminated", '"a b')]),
        ('""', [('""', None)]),
    ],
)
def test_arguments(text: str, expected: list[tuple[str, str | None]]) -> None:
    assert [(arg.name, arg.value) for arg in _args(text)] == expected


def test_an_argument_knows_where_it_and_its_value_are() -> None:
    arg = _args('ro root="/dev/sda 1"')[1]
    assert str(arg) == "root=/dev/sda 1"
    assert str(arg.where) == "/f:1:4"
    assert arg.token is not None
    assert arg.token.value == 'root="/dev/sda 1"'
    assert arg.value_at is not None
    assert arg.value_at.value == "/dev/sda 1"
    assert arg.value_at.where.column == 10


def test_the_last_of_several_counts() -> None:
    args = _args("root=/dev/sda1 rd.lvm.lv=a/b root=/dev/sdb1 rd.lvm.lv=c/d")
    assert str(last_arg(args, "root")) == "root=/dev/sdb1"
    assert [arg.value for arg in all_args(args, "rd.lvm.lv")] == ["a/b", "c/d"]
    assert last_arg(args, "resume") is None


def test_a_value_composed_of_two_files_cannot_be_edited() -> None:
    one, two = GuestText("/a", "root=/dev/"), GuestText("/b", "sda1")
    (arg,) = word_args([join((literal(one, 0, 10), literal(two, 0, 4)))])
    assert arg.value == "/dev/sda1"
    assert arg.value_at is None
    assert arg.token is None
    assert str(arg.where) == "/a:1:1"


def test_a_command_line_without_a_text_file_is_at_its_file() -> None:
    assert plain_args("root=/dev/sda1 ro", WholeFile("/x.efi")) == (
        KernelArg("root", "/dev/sda1", WholeFile("/x.efi")),
        KernelArg("ro", None, WholeFile("/x.efi")),
    )


def test_etc_kernel_cmdline_has_comments() -> None:
    found = parse_kernel_cmdline(memory_guest({"/etc/kernel/cmdline": "# root=/dev/sda9\nroot=UUID=1 ro\n"}))
    assert [str(arg) for arg in found.args] == ["root=UUID=1", "ro"]
    assert parse_kernel_cmdline(memory_guest({})) == KernelCmdline()


def test_endless_arguments_are_cut() -> None:
    assert len(_args("a " * 10_000)) == 4096


@pytest.mark.parametrize(
    ("line", "version", "read"),
    [
        ("a -- b", "6.1.0", "a"), ("a -- b", "", "a"), ("a -- b", "3.14.9", "a -- b"), ("a -- b", "3.15", "a"), ("-- a", "6.1", ""),
        ("a --=1 b", "6.1", "a --=1 b"), ("a --b c", "6.1", "a --b c"), ('"--" a', "6.1", ""), ("a", "6.1", "a"),
    ],
)  # fmt: skip
def test_what_the_kernel_reads_itself(line: str, version: str, read: str) -> None:
    assert " ".join(map(str, kernel_args(_args(line), version))) == read
