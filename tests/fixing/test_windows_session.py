"""A Windows guest gets its boot driver through the real appliance: two readers see the new keys, nothing else changes, undo is exact."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.fixing.test_session import changed, copies, digests, files
from v2vlint import target
from v2vlint.defining import DefineAsk, define
from v2vlint.disk.hives.edit import HiveDraft
from v2vlint.engine.protocol import CheckAsk, Selection
from v2vlint.fixing import session, transaction
from v2vlint.fixing.protocol import FixAsk
from v2vlint.fixing.virtio_win import RULE
from v2vlint.guest.open import open_ref
from v2vlint.model.fix import Applicability
from v2vlint.model.source import GuestRef
from v2vlint.samples.pe import sample_driver

CONFIG = "/Windows/System32/config"
HIVEX = """
import hivex, json, sys
found, hive = {}, hivex.Hivex(sys.argv[1])
def walk(node, path):
    found[path] = {hive.value_key(v): [hive.value_value(v)[0], hive.value_value(v)[1].hex()] for v in hive.node_values(node)}
    for child in hive.node_children(node):
        walk(child, path + "\\\\" + hive.node_name(child))
walk(hive.root(), "")
json.dump(found, sys.stdout)
"""

Keys = dict[str, dict[str, tuple[int, str]]]


def _hives(image: Path, folder: Path) -> dict[str, Path]:
    (root,) = open_ref(GuestRef(str(image), "disks", (str(image),))).roots
    folder.mkdir()
    for name in ("SYSTEM", "SOFTWARE"):
        data = root.fs.read(f"{CONFIG}/{name}")
        assert data is not None
        (folder / name).write_bytes(data)
    return {name: folder / name for name in ("SYSTEM", "SOFTWARE")}


def _by_hivex(path: Path) -> Keys:
    done = subprocess.run(["/usr/bin/python3", "-c", HIVEX, path], check=True, capture_output=True)
    return {key: {name: (kind, data) for name, (kind, data) in values.items()} for key, values in json.loads(done.stdout).items()}


def _by_us(path: Path, keys: Keys) -> Keys:
    with path.open("rb") as stream:
        hive = HiveDraft(stream, str(path))
        assert hive.clean
        return {key: {name: (one.type, one.data.hex()) for name, one in (hive.values(key) or {}).items()} for key in keys}


def _medium(folder: Path) -> Path:
    for driver in ("viostor", "netkvm"):
        drivers = folder / "iso" / driver / "w10" / "amd64"
        drivers.mkdir(parents=True)
        for suffix, size in (("sys", 100_000), ("inf", 6_000), ("cat", 11_000)):
            (drivers / f"{driver}.{suffix}").write_bytes((sample_driver() if suffix == "sys" else b"") + os.urandom(size))
    image = folder / "virtio-win.iso"
    subprocess.run(["genisoimage", "-quiet", "-J", "-r", "-o", image, folder / "iso"], check=True, capture_output=True)
    return image


@pytest.mark.slow
def test_the_boot_driver_is_installed_and_taken_back(tmp_path: Path) -> None:
    images = copies("windows-10-vmware", tmp_path)
    medium, before, bytes_before = _medium(tmp_path), files(images), digests(images)
    old = {name: _by_hivex(path) for name, path in _hives(images[0], tmp_path / "old").items()}
    guest = GuestRef(str(images[0]), "disks", tuple(map(str, images)))
    ask = CheckAsk(guest, (target.load("kvm"),), selection=Selection(select=(RULE,)))
    outcome = session.fix_in_place(FixAsk(ask, Applicability.UNSAFE, virtio_win=str(medium)))
    assert [chosen.title for chosen in outcome.applied] == ["install viostor from virtio-win"]
    assert outcome.after is not None
    assert not session.findings(outcome.after)
    drivers = {f"/Windows/Drivers/VirtIO/{name}.{suffix}" for name in ("viostor", "netkvm") for suffix in ("sys", "inf", "cat")}
    drivers.add("/Windows/System32/drivers/viostor.sys")
    assert changed(before, files(images)) == {*drivers, f"{CONFIG}/SYSTEM", f"{CONFIG}/SOFTWARE"}
    machine = define(DefineAsk(guest, target.load("kvm")))
    assert ([disk.bus for disk in machine.disks], [card.model for card in machine.cards], machine.machine) == (
        ["virtio"],
        ["virtio"],
        "q35",
    )
    for name, path in _hives(images[0], tmp_path / "new").items():
        new = _by_hivex(path)
        assert new == _by_us(path, new)
        assert {key: {value: new[key][value] for value in values} for key, values in old[name].items()} == old[name]
        assert new != old[name]
        start = new.get("\\ControlSet001\\Services\\viostor", {}).get("Start")
        assert start == ((4, "00000000") if name == "SYSTEM" else None)
    transaction.undo(images[0])
    assert digests(images) == bytes_before
