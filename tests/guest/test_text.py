"""Lines of guest files and their places."""

from __future__ import annotations

import errno
import os

import pytest

from v2vlint.guest.fs import _guarded
from v2vlint.guest.mounts import fstab_lines
from v2vlint.guest.text import GuestText, split_lines
from v2vlint.model.errors import FactUnavailable
from v2vlint.samples.memory import memory_guest

TEXTS = ["", "\n", "a", "a\n", "a\r\nb\r\n", "a\n\nb", "a\rb\nc", "\r", "a\r\r\nb", "a\x0bb\x0cc\x1cd\x85e\u2028f\ng", "a\nb\rc"]


@pytest.mark.parametrize("text", TEXTS, ids=range(len(TEXTS)))
def test_lines_their_numbers_and_places_agree(text: str) -> None:
    lines = list(GuestText("/x", text).lines())
    assert [line.text for line in lines] == split_lines(text)
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == text.count("\n") + (not text.endswith("\n") and text != "")
    for line in lines:
        place = GuestText("/x", text).span(line.start, line.start)
        assert (place.line, place.column) == (line.number, 1)


def test_a_carriage_return_alone_ends_no_line_of_fstab() -> None:
    """As for libmount, which reads lines with getline(3): all of it is one comment."""
    text = "# old\r/dev/sda1 /old ext4 defaults 0 1\n/dev/sdb1 /new ext4 defaults 0 1\n"
    assert [line.point for line in fstab_lines(memory_guest({"/etc/fstab": text}))] == ["/new"]


def test_an_error_of_the_host_is_told_in_its_words() -> None:
    def fail() -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "shadow")

    with pytest.raises(FactUnavailable) as caught:
        _guarded("/etc/shadow", fail)
    assert caught.value.reason == "cannot be read: permission denied"
