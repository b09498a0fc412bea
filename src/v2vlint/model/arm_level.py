"""Levels of 64-bit ARM processors: the architecture's version in tenths, 80 for ARMv8.0-A, 90 for ARMv9.0-A.

A version makes its extensions mandatory (8.1 the atomics of LSE, 8.2 none that compilers use by themselves), so that a program compiled for
one may use instructions which older processors lack. Programs do not state it: neither ELF headers nor GNU properties do.
"""

from __future__ import annotations

import re

BASE = 80
PAGES = (4, 64)
"""The sizes of pages in KiB that nearly every processor has."""
_VERSION = re.compile(r"armv([89])(?:\.(\d))?-a")
_CORES = (
    (80, r"cortex-a(?:34|35|53|57|72|73)|thunderx(?!2)\w*|xgene\d?|exynos-m1|falkor|qdf24xx|graviton|generic"),
    (81, r"thunderx2t99\w*|vulcan|saphira"),
    (82, r"cortex-a(?:55|65|75|76|77|78)\w*|neoverse-(?:n1|e1)|tsv110|a64fx|ares|cortex-x1\w*|graviton2|octeontx2\w*"),
    (84, r"neoverse-v1|zeus|graviton3\w*|thunderx3t110"),
    (85, r"apple-(?:m1|a14)"),
    (86, r"ampere1\w*|apple-(?:m2|m3|a15|a16)"),
    (90, r"neoverse-(?:n2|v2|n3|v3)\w*|cortex-a(?:510|710|715|720|725)\w*|cortex-x[234]\w*|graviton4|demeter|grace"),
)
# The version from which on processors must have the extension; SVE is optional, and common from 9.0 on.
_EXTENSIONS = {"lse": 81, "rdm": 81, "rdma": 81, "sve": 90, "sve2": 90, "i8mm": 86, "bf16": 86, "rcpc": 83, "dotprod": 84, "flagm": 84}


def arm_level(words: str) -> int:
    """The level for GCC's ``-march=`` or ``-mcpu=`` (``armv8.2-a+crypto``, ``neoverse-n1``); 0 for any other value."""
    name, *extensions = words.lower().split("+")
    version = _VERSION.fullmatch(name)
    level = int(version[1]) * 10 + int(version[2] or 0) if version else 0
    level = level or next((number for number, pattern in _CORES if re.fullmatch(pattern, name)), 0)
    return max([level, *(_EXTENSIONS.get(extension, 0) for extension in extensions)]) if level else 0


def arm_words(level: int) -> str:
    """``ARMv8.2-A``."""
    return f"ARMv{level // 10}.{level % 10}-A"
