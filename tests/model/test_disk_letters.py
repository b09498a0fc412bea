"""Names of disks beyond the 26th."""

from __future__ import annotations

import pytest

from v2vlint.model.disk_letters import index_of, letters_of


@pytest.mark.parametrize(("index", "letters"), [(0, "a"), (25, "z"), (26, "aa"), (51, "az"), (52, "ba"), (701, "zz"), (702, "aaa")])
def test_letters(index: int, letters: str) -> None:
    assert (letters_of(index), index_of(letters)) == (letters, index)


def test_every_name_leads_back_to_its_index() -> None:
    assert [index_of(letters_of(index)) for index in range(20_000)] == list(range(20_000))
