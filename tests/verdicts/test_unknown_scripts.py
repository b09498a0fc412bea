"""The verdict on mounts under an init program whose scripts nobody knows."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import DATA, UNKNOWN, Told, landing, told
from tests.verdicts.test_mounts import NOBODY, asked
from v2vlint.facts.boot.init import Init


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("/dev/sda2 /data xfs defaults 0 2", [UNKNOWN]),
        ("/dev/disk/by-path/pci-0000:00:10.0-part1 /data xfs defaults 0 2", [UNKNOWN]),
        (f"UUID={NOBODY} /data xfs defaults 0 2", [UNKNOWN]),
        ("/dev/sda3 none swap sw 0 0", [UNKNOWN]),
        (f"UUID={DATA} /data xfs defaults 0 2", []),
        ("/dev/vda2 /data xfs defaults 0 2", []),
        ("/dev/vda9 /data xfs defaults 0 2", []),
        ("/dev/sda2 /data xfs nofail 0 2", []),
        ("/dev/sda2 /data none bind 0 0", []),
        (f"UUID={NOBODY} /data xfs _netdev 0 2", []),
    ],
)
def test_missing_devices_under_an_init_of_unknown_scripts(line: str, found: Told) -> None:
    judged = asked(line, landing("vd"), Init("s6-linux-init")).scripts
    assert told(judged) == found
    what = "swap space" if "swap" in line else "/data"
    assert all(
        cause.reason.startswith(f"{what} is on ") and cause.reason.endswith("s6-linux-init does then is not known") for cause in judged
    )
    assert told(asked(line, landing("vd"), Init("systemd")).scripts) == []
