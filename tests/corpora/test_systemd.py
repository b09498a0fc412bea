"""systemd's own test data: command lines of its fstab generator, configurations of networkd's tests, boot configuration of Windows."""

from __future__ import annotations

import pytest

from tests.corpora.test_corpora import FOLDER, found
from v2vlint.facts.network.networkd import parse_networkd
from v2vlint.facts.network.udev_version import UdevVersion
from v2vlint.samples.memory import memory_guest
from v2vlint.verdicts.root import is_elsewhere

pytestmark = [pytest.mark.truth, pytest.mark.skipif(not FOLDER.is_dir(), reason="$V2VLINT_CORPORA names no folder")]


def test_roots_that_are_no_device() -> None:
    """What its generator makes no mount of is no local disk for us either; a tmpfs is none, though it mounts it."""
    cases = found("systemd-*/test/test-fstab-generator/*.input")
    differ = []
    for case in cases:
        word = case.read_text().strip()
        mounts = (case.with_suffix(".expected") / "sysroot.mount").exists()
        if mounts == is_elsewhere(word.removeprefix("root=")) and word != "root=tmpfs":
            differ.append(word)
    assert differ == []
    assert len(cases) == 16


def test_networks() -> None:
    """Every file of its tests is understood as a network, a device or none, alone and all together."""
    folder = found("systemd-*/test/test-network/conf")[0]
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.suffix in (".network", ".netdev", ".link")}
    for name, content in files.items():
        parse_networkd(memory_guest({f"/etc/systemd/network/{name}": content}), UdevVersion(252))
    together = memory_guest({f"/etc/systemd/network/{name}": content for name, content in files.items()})
    assert parse_networkd(together, UdevVersion(252)).interfaces
    assert len(files) == 287
