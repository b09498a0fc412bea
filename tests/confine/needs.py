"""Marks for tests of what not every kernel has."""

from __future__ import annotations

import pytest

from v2vlint.confine import landlock, seccomp

needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this kernel has no Landlock")
needs_seccomp = pytest.mark.skipif(not seccomp.available(), reason="this kernel or architecture has no filter of system calls")
