"""The octal escapes of fstab(5), /proc/self/mountinfo and udev, which keep blanks out of their fields."""

from __future__ import annotations

import re

_OCTAL = re.compile(r"\\([0-7]{3})")


def unescaped(text: str) -> str:
    r"""``text`` with each escape replaced by its character: ``\040`` is a space."""
    return _OCTAL.sub(lambda match: chr(int(match[1], 8)), text) if "\\" in text else text
