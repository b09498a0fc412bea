"""Kernel features that tests pretend to be missing: the confinement must be useful without them. Children are told by their parent."""

from __future__ import annotations

PRETENDED: set[str] = set()
"""``landlock``, ``seccomp``, both or, as ever outside tests, none."""
