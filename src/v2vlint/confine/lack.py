"""What tests pretend the kernel lacks: the confinement must be of use without. Children are told by their parent."""

from __future__ import annotations

PRETENDED: set[str] = set()
"""``landlock``, ``seccomp``, both or, as ever outside tests, none."""
