"""Hives of real Windows machines, on NTFS among stub files: read as hivex and virt-inspector read them, judged, fixed, undone.

The hives are not in this repository. ``V2VLINT_REAL_HIVES`` names a folder with them as regipy's tests have them, unpacked: ``SYSTEM``
(Windows 7 on VMware), ``SYSTEM_2`` (8.1 on VirtualBox), ``SYSTEM_B`` (10 on a laptop), ``SYSTEM_WIN_10_1709`` (on VMware); the last three
were taken from running machines, their last changes are in log files. ``nt/system`` and ``nt/software`` are those of a Windows NT 4 in
``C:\\WINNT`` (aiowinreg's tests); ``logs`` has hives with their logs and what Windows made of them (yarp's tests); ``virtio-win`` has
Windows 7's drivers of virtio-win-pkg-scripts (``old-drivers``), in folders as on the ISO (``viostor/w7/x86``).
"""

from __future__ import annotations

import dataclasses
import io
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from guestbuild.image import build
from guestbuild.recipe import Recipe
from guestbuild.samples import recipes
from tests.fixing.test_stacks import _digest
from tests.inspecting.test_virt_inspector import compare
from tests.samples.test_samples import check, findings
from v2vlint import target
from v2vlint.disk.hives.reader import HiveFile, HiveKey
from v2vlint.engine.protocol import CheckAsk
from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.boot import WindowsBoot, default_entry
from v2vlint.fixing import session, transaction
from v2vlint.fixing.protocol import FixAsk
from v2vlint.guest.open import open_guest
from v2vlint.model.blocks import BlockTable
from v2vlint.model.fix import Applicability
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.source import GuestRef, Keys
from v2vlint.samples.memory import memory_guest
from v2vlint.source.locate import locate

pytestmark = [pytest.mark.truth, pytest.mark.xdist_group("real-hives")]
SYSTEM = "/Windows/System32/config/SYSTEM"
TEN = '"CurrentMajorVersionNumber"=dword:a\n"CurrentMinorVersionNumber"=dword:0\n'
MACHINES = {
    "SYSTEM": ("windows-7-virtualbox", "i386", "Windows 7 Professional", "6.1", "7601", ""),
    "SYSTEM_2": ("windows-7-virtualbox", "x86_64", "Windows 8.1 Pro", "6.3", "9600", ""),
    "SYSTEM_B": ("windows-10-vmware", "x86_64", "Windows 10 Pro", "6.3", "17134", TEN),
    "SYSTEM_WIN_10_1709": ("windows-7-virtualbox", "x86_64", "Windows 10 Pro", "6.3", "16299", TEN),
}
UNSAVED = "windows-registry-unsaved"
SHARED = {"windows-no-boot-driver", "windows-no-network-driver"}
STATIC = {"windows-static-address", "windows-sha2-missing", "windows-vmware-tools"}
VERDICTS = [
    ("SYSTEM", "vmware", set()),
    ("SYSTEM", "kvm", SHARED | STATIC),
    ("SYSTEM", "xen", STATIC),
    ("SYSTEM_2", "virtualbox", {UNSAVED}),
    ("SYSTEM_2", "kvm", SHARED | {UNSAVED, "windows-virtualbox-additions"}),
    ("SYSTEM_2", "hyperv-gen1", {"windows-no-boot-driver", UNSAVED, "windows-virtualbox-additions"}),
    ("SYSTEM_B", "ec2-nitro", SHARED | {UNSAVED}),
    ("SYSTEM_WIN_10_1709", "vmware", {UNSAVED}),
    ("SYSTEM_WIN_10_1709", "hyperv-gen1", {UNSAVED, "windows-vmware-tools"}),
    ("SYSTEM_WIN_10_1709", "ec2-nitro", SHARED | {UNSAVED, "windows-vmware-tools"}),
]


@pytest.fixture(scope="session")
def hives() -> Path:
    """The folder with the hives."""
    if "V2VLINT_REAL_HIVES" not in os.environ:
        pytest.skip("V2VLINT_REAL_HIVES names no folder of real hives")
    return Path(os.environ["V2VLINT_REAL_HIVES"])


def _services(hive: Path) -> HiveKey:
    found = HiveFile(io.BytesIO(hive.read_bytes())).root.key("ControlSet001\\Services")
    assert found is not None
    return found


def _drivers(hive: Path) -> Iterator[str]:
    """The files that services name, as a real disk has them."""
    for service in _services(hive).children():
        for value in service.values():
            path = value.text.lower().replace("\\", "/").removeprefix("/systemroot/") if value.name.lower() == "imagepath" else ""
            if path.startswith("system32/") and path.endswith(".sys"):
                yield f"/Windows/System32/{path.removeprefix('system32/')}"


def _recipe(name: str, hive: Path) -> Recipe:
    base, machine, product, version, number, more = MACHINES[name]
    recipe = recipes()[base]
    tree = recipe.trees["root"]
    software = (
        f'[Microsoft\\Windows NT\\CurrentVersion]\n"ProductName"="{product}"\n"CurrentVersion"="{version}"\n'
        f'"CurrentBuildNumber"="{number}"\n"InstallationType"="Client"\n{more}[Microsoft\\Windows\\CurrentVersion\\Uninstall]\n'
    )
    hives = {path: text for path, text in tree.hives.items() if "System32/config" not in path}
    hives["/Windows/System32/config/SOFTWARE"] = software
    known = {path.lower() for path in tree.programs}
    programs = (*tree.programs, *(path for path in dict.fromkeys(_drivers(hive)) if path.lower() not in known))
    root = dataclasses.replace(tree, hives=hives, programs=programs, machine=machine)
    disks = tuple(
        dataclasses.replace(
            disk, parts=tuple(dataclasses.replace(part, dirty=False, size=64 if part.mount == "/" else part.size) for part in disk.parts)
        )
        for disk in recipe.disks
    )
    return dataclasses.replace(recipe, id=name.lower(), trees={"root": root}, disks=disks)


@pytest.fixture(scope="session")
def guests(hives: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The disk of each machine."""
    found = {}
    for name in MACHINES:
        folder = tmp_path_factory.mktemp(name)
        config = folder / "source" / "root" / "Windows" / "System32" / "config"
        config.mkdir(parents=True)
        for suffix in ("", ".LOG1", ".LOG2"):
            if (hives / f"{name}{suffix}").exists():
                shutil.copy(hives / f"{name}{suffix}", config / f"SYSTEM{suffix}")
        (found[name],) = build(_recipe(name, hives / name), folder / "source", folder)
    return found


def test_windows_in_another_folder(hives: Path, tmp_path: Path) -> None:
    if not (hives / "nt" / "system").exists():
        pytest.skip("no hives of Windows NT in the folder")
    config = tmp_path / "source" / "root" / "WINNT" / "System32" / "config"
    config.mkdir(parents=True)
    for name in ("system", "software"):
        shutil.copy(hives / "nt" / name, config / name)
    recipe = recipes()["windows-xp-ide"]
    tree = recipe.trees["root"]
    programs = tuple(path.replace("/Windows/", "/WINNT/") for path in tree.programs)
    recipe = dataclasses.replace(recipe, id="nt", trees={"root": dataclasses.replace(tree, hives={}, programs=programs)})
    images = build(recipe, tmp_path / "source", tmp_path)
    compare(images, rpm=False)
    found = {(one.rule, one.place) for one in findings(check(images, "kvm"), several=False) if one.severity == "error"}
    services = "/WINNT/System32/config/SYSTEM:ControlSet001\\Services"
    assert found == {("windows-no-boot-driver", f"{services}\\viostor"), ("windows-no-network-driver", f"{services}\\netkvm")}


def _exported(hive: Path) -> list[str]:
    done = subprocess.run(["hivexregedit", "--export", "--unsafe-printable-strings", str(hive), "\\"], capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace").splitlines()


@pytest.mark.parametrize("name", MACHINES)
def test_start_types_are_those_that_hivex_reads(name: str, hives: Path) -> None:
    wanted, key = {}, ""
    for line in _exported(hives / name):
        if line.startswith("["):
            key = line.strip("[]")
        elif match := re.fullmatch(r'"Start"=dword:([0-9a-f]{8})', line):
            wanted[key.lower()] = int(match[1], 16)
    found = {}
    for service in _services(hives / name).children():
        found.update({service.name.lower(): value.number for value in service.values() if value.name == "Start"})
    prefix = "\\controlset001\\services\\"
    assert found == {key.removeprefix(prefix): start for key, start in wanted.items() if key.startswith(prefix) and key.count("\\") == 3}
    assert len(found) > 300


@pytest.mark.parametrize("name", MACHINES)
def test_the_document_is_that_of_virt_inspector(name: str, guests: dict[str, Path]) -> None:
    compare((guests[name],), rpm=False)


@pytest.mark.parametrize(("name", "where", "rules"), VERDICTS)
def test_verdicts(name: str, where: str, rules: set[str], guests: dict[str, Path]) -> None:
    found = findings(check((guests[name],), where), several=False)
    assert {finding.rule for finding in found if finding.severity != "info"} == rules


def test_a_fix_writes_the_value_and_nothing_else(guests: dict[str, Path], tmp_path: Path) -> None:
    image = tmp_path / "seven.qcow2"
    shutil.copy(guests["SYSTEM"], image)
    before, digest = _content(image, tmp_path / "before"), _digest(image)
    outcome = session.fix_in_place(FixAsk(CheckAsk(GuestRef(str(image), "disks", (str(image),)), (target.load("azure"),))))
    assert [chosen.rule for chosen in outcome.applied] == ["windows-no-boot-driver"]
    after = _content(image, tmp_path / "after")
    changed = [(old, new) for old, new in zip(_exported(before), _exported(after), strict=True) if old != new]
    assert changed == [('"Start"=dword:00000003', '"Start"=dword:00000000')]
    transaction.undo(image)
    assert _digest(image) == digest


def test_the_real_driver_makes_it_start_on_virtio(hives: Path, guests: dict[str, Path], tmp_path: Path) -> None:
    if not (hives / "virtio-win").is_dir():
        pytest.skip("no drivers in the folder (virtio-win-pkg-scripts' old-drivers)")
    image = tmp_path / "seven.qcow2"
    shutil.copy(guests["SYSTEM"], image)
    digest = _digest(image)
    ask = CheckAsk(GuestRef(str(image), "disks", (str(image),)), (target.load("kvm"),))
    outcome = session.fix_in_place(FixAsk(ask, Applicability.UNSAFE, virtio_win=str(hives / "virtio-win")))
    assert "windows-no-boot-driver" in {chosen.rule for chosen in outcome.applied}, outcome
    report = check((image,), "kvm")
    assert {one.rule for one in findings(report, several=False) if one.severity == "error"} == set()
    stages = {one["stage"]: one["fate"] for one in report["images"][0]["roots"][0]["targets"][0]["forecast"]["stages"]}
    assert stages["root"] == "pass"
    transaction.undo(image)
    assert _digest(image) == digest


def _content(image: Path, output: Path) -> Path:
    (root,) = open_guest(locate(GuestRef(str(image), "disks", (str(image),))), Keys()).roots
    output.write_bytes(root.fs.read(SYSTEM, 64 << 20) or b"")
    return output


RECOVERED = [
    ("NewDirtyHive1/NewDirtyHive", "NewDirtyHive1/RecoveredHive_Windows10"),
    ("OldDirtyHive/OldDirtyHive", "OldDirtyHive/RecoveredHive_Windows7"),
]


@pytest.mark.parametrize(("name", "recovered"), RECOVERED)
def test_a_replayed_hive_is_what_windows_made_of_it(name: str, recovered: str, hives: Path) -> None:
    if not (hives / "logs").is_dir():
        pytest.skip("no hives with logs in the folder (yarp's hives_for_tests)")
    path = hives / "logs" / name
    logs = [path.with_name(f"{path.name}{suffix}").read_bytes() for suffix in (".LOG1", ".LOG2")]
    found, stale = HiveFile(io.BytesIO(path.read_bytes()), lambda: logs), HiveFile(io.BytesIO(path.read_bytes()))
    wanted = _content_of(HiveFile(io.BytesIO((hives / "logs" / recovered).read_bytes())).root)
    assert _content_of(found.root) == wanted != _content_of(stale.root)
    assert (found.replayed, stale.replayed) == (True, False)


def _content_of(key: HiveKey) -> list[tuple[str, list[tuple[str, int, bytes]]]]:
    values = [(value.name, value.type, value.data) for value in key.values()]
    return [(key.name, values), *(one for child in key.children() for one in _content_of(child))]


def test_the_boot_configuration_of_a_real_disk(hives: Path) -> None:
    if not (hives / "BCD").exists():
        pytest.skip("no BCD in the folder")
    store = FactStore(
        (
            memory_guest({"/Boot/BCD": (hives / "BCD").read_bytes(), "/bootmgr": b""}),
            BlockTable(),
            OsInfo("windows", "windows", "windows", "Windows"),
        )
    )
    entry = default_entry(store.get(WindowsBoot))
    assert (entry.name, entry.loader) == ("Windows 10", "\\Windows\\system32\\winload.efi")
    assert (entry.partition, entry.graphics_off) == ("8e0f2c38-e4ea-47ba-b7fc-9d8c74dccf0b", None)
