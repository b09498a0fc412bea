"""Patterns match what fnmatch says they match."""

from __future__ import annotations

import fnmatch

from hypothesis import given
from hypothesis import strategies as st

from v2vlint.model.globs import matcher

PATTERNS = st.text("ab*?[!]-.\n", max_size=7)
NAMES = st.text("ab.-[]*?\n", max_size=6)


@given(PATTERNS, NAMES)
def test_as_fnmatch(pattern: str, name: str) -> None:
    assert bool(matcher(pattern)(name)) == fnmatch.fnmatchcase(name, pattern)
