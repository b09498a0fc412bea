"""Levels of 64-bit ARM processors by the words of compilers, which GCC knows better."""

from __future__ import annotations

import pytest

from v2vlint.model.arm_level import arm_level, arm_words


@pytest.mark.parametrize(
    ("words", "level"),
    [
        ("armv8-a", 80), ("armv8-a+crc+crypto", 80), ("armv8-a+lse", 81), ("armv8.1-a", 81), ("armv8.2-a+crypto", 82), ("armv9-a", 90),
        ("cortex-a57", 80), ("cortex-a72+crypto", 80), ("neoverse-n1", 82), ("neoverse-v2", 90), ("neoverse-n1+sve", 90), ("generic", 80),
        ("native", 0), ("haswell", 0), ("x86-64-v3", 0), ("cortex-m4", 0), ("armv7-a", 0), ("", 0),
    ],
)  # fmt: skip
def test_levels(words: str, level: int) -> None:
    assert arm_level(words) == level


def test_words() -> None:
    assert (arm_words(80), arm_words(92)) == ("ARMv8.0-A", "ARMv9.2-A")
