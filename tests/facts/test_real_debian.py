"""Real Debian guests: the same listing as the distribution's own tools give, the same packages, the same notes, and nothing wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from guestbuild.debian import BuildError, Spec, build
from v2vlint.engine.packs import load_all
from v2vlint.engine.run import run_rule
from v2vlint.facts.boot.path import BootPaths
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.kernel.cpu_needs import CpuNeeds
from v2vlint.facts.packages.installed import Packages
from v2vlint.facts.registry import FactStore
from v2vlint.guest.open import open_ref
from v2vlint.model.definition import Definition
from v2vlint.model.finding import Mover, Severity
from v2vlint.model.source import GuestRef
from v2vlint.target import load

pytestmark = pytest.mark.slow

SPECS = (
    Spec(),
    Spec(initramfs="dracut"),
    Spec(suite="bullseye"),
    Spec(suite="trixie"),
    Spec(lvm=True),
)
UNPACK = {"gzip": ["gzip", "-dc"], "zstd": ["zstd", "-dc"], "xz": ["xz", "-dc"], "none": ["cat"]}
GROUPS = ("drivers", "cpu", "leftovers")


@dataclass(frozen=True)
class Built:
    store: FactStore

    @property
    def initrd(self) -> str:
        default = self.store.get(BootPaths).choices.default
        assert default is not None
        return default.initrds[-1]


@cache
def _built(spec: Spec) -> Built:
    try:
        image = build(spec)
    except BuildError as error:
        pytest.skip(f"cannot build {spec.name}: {error}")
    guest = open_ref(GuestRef(spec.name, "disks", (str(image),)))
    (root,) = guest.roots
    return Built(FactStore((root.fs, guest.blocks, root.os, Mover.RAW, Definition("", ""))))


# One process for each image: it is built and parsed there, while another one would only wait for it.
@pytest.fixture(params=[pytest.param(spec, id=spec.name, marks=pytest.mark.xdist_group(spec.name)) for spec in SPECS])
def built(request: pytest.FixtureRequest) -> Built:
    return _built(request.param)


def _listed(data: bytes, offset: int, size: int, compression: str, work: Path) -> set[str]:
    (work / "segment").write_bytes(data[offset : offset + size])
    with (work / "segment").open("rb") as packed:
        plain = subprocess.run(UNPACK[compression], stdin=packed, capture_output=True, check=True).stdout
    shown = subprocess.run(["cpio", "-itv", "--quiet"], input=plain, capture_output=True, check=True).stdout.decode()
    return _names(shown)


def _names(listing: str) -> set[str]:
    """The names in a listing like that of ``ls -l``, folders left out; device nodes have one column more."""
    lines = [line for line in listing.splitlines() if not line.startswith("d")]
    return {line.split(None, 9 if line[0] in "bc" else 8)[-1].partition(" -> ")[0] for line in lines}


@pytest.mark.skipif(not shutil.which("cpio"), reason="cpio is not installed")
def test_the_same_files_as_cpio_lists(built: Built, tmp_path: Path) -> None:
    image = built.store.get(Initramfses).of(built.initrd)
    assert image is not None
    data = built.store.get(BootPaths).initramfses.fs.read(built.initrd)
    assert data is not None
    assert (image.damage, image.remark) == ("", "")
    assert sum(segment.size for segment in image.segments) >= len(data) - 4096, "no byte is passed over but padding"
    listed = [_listed(data, segment.offset, segment.size, segment.compression, tmp_path) for segment in image.segments]
    assert set().union(*listed) == image.files


@pytest.mark.skipif(not shutil.which("lsinitramfs"), reason="initramfs-tools is not installed")
def test_the_same_names_as_lsinitramfs(built: Built, tmp_path: Path) -> None:
    image = built.store.get(Initramfses).of(built.initrd)
    assert image is not None
    if image.generator != "initramfs-tools":
        pytest.skip(f"{image.generator} made it")
    (tmp_path / "initrd").write_bytes(built.store.get(BootPaths).initramfses.fs.read(built.initrd) or b"")
    shown = subprocess.run(["lsinitramfs", "-l", tmp_path / "initrd"], capture_output=True, text=True, check=True).stdout
    assert _names(shown) == image.files


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="dpkg is not installed")
def test_the_same_packages_as_dpkg_query(built: Built, tmp_path: Path) -> None:
    packages = built.store.get(Packages)
    (tmp_path / "status").write_bytes(built.store.get(BootPaths).initramfses.fs.read("/var/lib/dpkg/status") or b"")
    for folder in ("info", "updates"):
        (tmp_path / folder).mkdir()
    query = ["dpkg-query", f"--admindir={tmp_path}", "-W", "-f", r"${Package} ${Version} ${Architecture} ${db:Status-Status}\n"]
    shown = subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    installed = {line.rpartition(" ")[0] for line in shown if line.endswith(" installed")}
    assert {f"{package} {package.arch}" for package in packages.installed} == installed


@pytest.mark.skipif(not shutil.which("readelf"), reason="binutils is not installed")
def test_the_same_notes_as_readelf(built: Built, tmp_path: Path) -> None:
    needs = built.store.get(CpuNeeds)
    assert len(needs.binaries) == 3
    for need in needs.binaries:
        (tmp_path / "binary").write_bytes(built.store.get(BootPaths).initramfses.fs.read(need.where.path) or b"")
        shown = subprocess.run(["readelf", "-nW", tmp_path / "binary"], capture_output=True, text=True, check=True).stdout
        needed = re.search(r"x86 ISA needed: ([^\n]*)", shown)
        assert need.level == (max([1, *map(int, re.findall(r"v([234])", needed[1]))]) if needed else 0)


@pytest.mark.parametrize("target", ["kvm", "kvm-scsi", "vmware", "hyperv-gen2", "virtualbox", "ec2-nitro", "any"])
def test_a_stock_debian_has_no_errors(built: Built, target: str) -> None:
    store = built.store.with_given(load(target))
    for loaded in load_all():
        if loaded.group in GROUPS:
            outcome = run_rule(loaded.rule, store)
            assert not outcome.crashed, outcome.reason
            assert [finding for finding in outcome.findings if finding.severity > Severity.INFO] == []
            assert outcome.unknowns == ()
