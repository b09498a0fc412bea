"""The order of versions, asked of ``systemd-analyze compare-versions``."""

from __future__ import annotations

import random
import shlex
import subprocess

from tests.disk.images import need
from v2vlint.facts.boot.version_order import systemd_compare

PARTS = ("1", "2", "10", "01", "a", "b", "rc", "A", ".", "-", "~", "^", "_", "+", "0", "6", "alpha", "1a", "é", " ")
CODES = {"0": 0, "11": 1, "12": -1}


def test_random_versions() -> None:
    need("systemd-analyze")
    draw = random.Random(5)
    words = ["".join(draw.choices(PARTS, k=draw.randrange(1, 6))) for _number in range(250)]
    pairs = [(word, word + draw.choice(PARTS) if draw.random() < 0.3 else draw.choice(words)) for word in words]
    commands = [f"systemd-analyze compare-versions -- {shlex.quote(a)} {shlex.quote(b)} >/dev/null; echo $?" for a, b in pairs]
    done = subprocess.run(["sh", "-c", "; ".join(commands)], capture_output=True, text=True, check=False)
    theirs = [CODES[code] for code in done.stdout.split()]
    assert {pair: systemd_compare(*pair) for pair in pairs} == dict(zip(pairs, theirs, strict=True))
