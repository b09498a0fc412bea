"""systemd's own test data: command lines of its fstab generator, configurations of networkd's tests, boot configuration of Windows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.corpora.test_corpora import FOLDER, found
from tests.facts.guests import fact
from v2vlint.facts.network.networkd import parse_networkd
from v2vlint.facts.network.udev_version import UdevVersion
from v2vlint.facts.systemd.mount_units import MountUnits
from v2vlint.samples.memory import memory_guest
from v2vlint.verdicts.root import is_elsewhere

pytestmark = [pytest.mark.truth, pytest.mark.skipif(not FOLDER.is_dir(), reason="$V2VLINT_CORPORA names no folder")]


KINDS = ("requires", "wants")
VERSIONS = {"252": (16, 287), "257": (16, 356)}
"""Of each version of systemd: how many command lines with a root, and how many files of networkd's tests."""
FROM_254 = {"mnt-wantedby-automount.automount": "x-systemd.wanted-by= pulls in the automount point, up to 253 local-fs.target does"}
"""Units that a newer generator makes otherwise than that of 252, whose rules we follow."""


def version(path: Path) -> str:
    """The version in the name of the unpacked source."""
    name = path.relative_to(FOLDER).parts[0]
    return next((one for one in VERSIONS if re.search(rf"-{one}\b", name)), name)


def test_roots_that_are_no_device() -> None:
    """What its generator makes no mount of is no local disk for us either; a tmpfs is none, though it mounts it."""
    cases: dict[str, list[str]] = {}
    differ = []
    for case in found("systemd-*/test/test-fstab-generator/*.input"):
        word = case.read_text().strip()
        if not word.startswith("root=") or "\n" in word:
            continue
        cases.setdefault(version(case), []).append(word)
        mounts = (case.with_suffix(".expected") / "sysroot.mount").exists()
        if mounts == is_elsewhere(word.removeprefix("root=")) and word != "root=tmpfs":
            differ.append(word)
    assert differ == []
    assert {one: len(words) for one, words in cases.items()} == {one: VERSIONS[one][0] for one in cases}


def test_lines_of_fstab() -> None:
    """Every mount and automount unit with what it mounts where, and what pulls it in, as the generator of systemd 257 writes them.

    The names of its files lack the escape of a dash.
    """
    (case,) = found("systemd-*/test/test-fstab-generator/test-18-options.fstab.input")
    expected = case.with_suffix(".expected")
    units = fact(MountUnits, {"/etc/fstab": case.read_text()}).units
    wanted = {}
    for path in (one for one in expected.iterdir() if one.suffix in (".mount", ".automount")):
        values = dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)
        owners = [sorted(one.parent.name.removesuffix(f".{kind}") for one in expected.glob(f"*.{kind}/{path.name}")) for kind in KINDS]
        wanted[path.name] = (values.get("What", ""), *owners)
    ours = {
        name.replace("\\x2d", "-"): (str(unit.entry.spec) if unit.entry else "", sorted(unit.required_by), sorted(unit.wanted_by))
        for name, unit in units.items()
    }
    del wanted["sysroot.mount"], ours["sysroot.mount"]
    assert len(wanted) == 19
    assert {name for name in wanted.keys() | ours.keys() if wanted.get(name) != ours.get(name)} == FROM_254.keys()


@pytest.mark.parametrize("number", VERSIONS)
def test_networks(number: str) -> None:
    """Every file of its tests is understood as a network, a device or none, alone and all together."""
    folders = [path for path in found("systemd-*/test/test-network/conf") if version(path) == number]
    if not folders:
        pytest.skip(f"no systemd {number} in {FOLDER}")
    files = {path.name: path.read_bytes() for path in folders[0].iterdir() if path.suffix in (".network", ".netdev", ".link")}
    for name, content in files.items():
        parse_networkd(memory_guest({f"/etc/systemd/network/{name}": content}), UdevVersion(int(number)))
    together = memory_guest({f"/etc/systemd/network/{name}": content for name, content in files.items()})
    assert parse_networkd(together, UdevVersion(int(number))).interfaces
    assert len(files) == VERSIONS[number][1]
