"""Boot loader entries: fields and the two orders."""

from __future__ import annotations

import functools

import pytest

from v2vlint.facts.boot.bls import BlsEntry, SpecKey, compare_versions, grub_order, parse_bls, spec_compare
from v2vlint.model.place import WholeFile
from v2vlint.samples.memory import memory_guest


def test_fields() -> None:
    text = (
        "# title no\ntitle  Fedora 40 \nversion 6.8\nmachine-id ab\nsort-key fedora\nlinux /vmlinuz\ninitrd /a\ninitrd /b\n"
        "options root=x\n\noptions ro\nnovalue\n"
    )
    guest = memory_guest(
        {"/boot/loader/entries/ab-6.8.conf": text, "/boot/loader/entries/.hidden.conf": text, "/boot/loader/entries/x.bak": text}
    )
    (entry,) = parse_bls(guest).entries
    assert entry.id == "ab-6.8"
    assert [str(token) for token in (entry.title, entry.version, entry.machine_id, entry.sort_key, entry.linux) if token] == [
        "Fedora 40", "6.8", "ab", "fedora", "/vmlinuz",
    ]  # fmt: skip
    assert [token.value for token in entry.initrds] == ["/a", "/b"]
    assert [str(token.where) for token in entry.options] == [f"{entry.where}:9:9", f"{entry.where}:11:9"]


@pytest.mark.parametrize(("text", "expected"), [("6a" * 16 + "\n", "6a" * 16), ("uninitialized\n", ""), ("", ""), (None, "")])
def test_machine_id(text: str | None, expected: str) -> None:
    assert parse_bls(memory_guest({} if text is None else {"/etc/machine-id": text})).machine_id == expected


def test_entries_of_every_folder() -> None:
    found = parse_bls(
        memory_guest({"/boot/loader/entries/a.conf": "", "/efi/loader/entries/b.conf": "", "/boot/loader/entries/c.conf/x": ""})
    )
    assert [entry.id for entry in found.entries] == ["a", "b"]


@pytest.mark.parametrize(
    ("left", "right", "order"),
    [
        ("5.14.0", "5.14.0", 0), ("5.14.0", "5.9.0", 1), ("5.9", "5.10", -1), ("5.14.0", "5.14.0~rc1", 1), ("1.0", "1.0.1", -1),
        ("1.0a", "1.0", 1), ("a", "1", -1), ("1", "a", 1), ("1.0+git", "1.0", 1), ("1.0+a", "1.0b", -1),
        ("007", "7", 0), ("", "", 0), ("~", "", -1),
    ],
)  # fmt: skip
def test_versions(left: str, right: str, order: int) -> None:
    assert compare_versions(left, right) == order
    assert compare_versions(right, left) == -order


def _sorted(*names: str) -> list[str]:
    return [entry.id for entry in grub_order(BlsEntry(name, WholeFile(name)) for name in names)]


def test_grub_puts_the_newest_first_and_rescue_last() -> None:
    assert _sorted("ab-0-rescue", "ab-5.14.0-70.el9", "ab-5.14.0-362.el9", "ab-6.1-1") == [
        "ab-6.1-1", "ab-5.14.0-362.el9", "ab-5.14.0-70.el9", "ab-0-rescue",
    ]  # fmt: skip
    assert _sorted("x", "y-1", "y-2") == ["y-2", "y-1", "x"]
    assert _sorted("a.1", "a-1") == ["a.1", "a-1"]
    assert _sorted("a.1-2", "a_1-2") == ["a_1-2", "a.1-2"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (SpecKey("b"), SpecKey("a")),
        (SpecKey("a", "debian"), SpecKey("z")),
        (SpecKey("a", "arch"), SpecKey("b", "debian")),
        (SpecKey("a", "debian", "1"), SpecKey("b", "debian", "2")),
        (SpecKey("a", "debian", "1", "6.10"), SpecKey("b", "debian", "1", "6.9")),
        (SpecKey("b", "debian", "1", "6.9"), SpecKey("a", "debian", "1", "6.9")),
        (SpecKey("a"), SpecKey("z", left=0)),
    ],
)
def test_systemd_boot_order(first: SpecKey, second: SpecKey) -> None:
    assert sorted([second, first], key=functools.cmp_to_key(spec_compare)) == [first, second]
    assert spec_compare(first, second) < 0 < spec_compare(second, first)
