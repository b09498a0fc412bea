"""The same images through virt-inspector and through v2vlint: equal documents, but for the differences listed in docs/inspect.md."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import v2vlint
from guestbuild.debian import BuildError, Spec, build, cache_dir
from guestbuild.recipe import Tree
from guestbuild.samples import cached, recipes
from tests.inspecting.identities import contradictions
from v2vlint.inspecting.storage import device_path
from v2vlint.model.machine import Machine
from v2vlint.report.machine_xml import escaped, render

pytestmark = pytest.mark.slow


SCHEMA = Path("/usr/share/doc/guestfs-tools/virt-inspector.rng.gz")
EMULATED = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}


def _has_rpm(tree: Tree) -> bool:
    return tree.base.startswith(("rhel", "centos", "rocky", "sles", "suse")) or (
        tree.packages is not None and tree.packages.manager.startswith("rpm")
    )


RPM = frozenset(name for name, recipe in recipes().items() if any(_has_rpm(tree) for tree in recipe.trees.values()))
"""Guests one of whose systems has RPM packages, or would have: virt-inspector fails at their databases."""
IN_CI = ("alpine-extlinux", "rhel9-vsphere")
SAMPLES = [
    pytest.param(name, id=name, marks=[pytest.mark.xdist_group(name), *([] if name in IN_CI else [pytest.mark.truth])])
    for name in recipes()
]
REAL = [
    pytest.param(Spec(lvm=True), id="lvm"),
    *(
        pytest.param(spec, id=spec.name, marks=pytest.mark.truth)
        for spec in (
            Spec(),
            Spec(fs="btrfs"),
            Spec(fs="xfs"),
            Spec(firmware="uefi"),
            Spec(firmware="uefi", lvm=True),
            Spec(fstab_device=True),
            Spec(initramfs="dracut"),
            Spec(suite="bullseye"),
            Spec(suite="trixie"),
            Spec(suite="trixie", firmware="uefi"),
        )
    ),
]


def theirs(images: tuple[Path, ...], *options: str) -> ET.Element:
    """virt-inspector's document, kept in the cache: it takes a minute without KVM, and the images do not change."""
    if shutil.which("virt-inspector") is None:
        pytest.skip("virt-inspector is not installed")
    version = subprocess.run(["virt-inspector", "--version"], capture_output=True, check=True).stdout
    stamps = "".join(f"{image}{image.stat().st_size}{image.stat().st_mtime_ns}" for image in images)
    key = hashlib.sha256(version + repr(options).encode() + stamps.encode()).hexdigest()[:16]
    kept = cache_dir() / "virt-inspector" / f"{images[0].stem}-{key}.xml"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        words = ["virt-inspector", "--no-icon", *options, *(word for image in images for word in ("-a", str(image)))]
        done = subprocess.run(words, capture_output=True, env={**os.environ, **EMULATED}, check=False)
        assert done.returncode == 0, done.stderr.decode(errors="replace")
        kept.write_bytes(done.stdout)
    return ET.fromstring(kept.read_bytes())


def without_applications(root: ET.Element) -> ET.Element:
    for system in root:
        for child in system.findall("applications"):
            system.remove(child)
    return root


def flat(element: ET.Element, path: str = "") -> list[tuple[str, tuple[tuple[str, str], ...], str]]:
    """Every element as path, attributes and text, in the order of the document."""
    here = f"{path}/{element.tag}"
    text = (element.text or "") if len(element) == 0 else ""
    return [(here, tuple(element.attrib.items()), text), *(one for child in element for one in flat(child, here))]


def compare(images: tuple[Path, ...], rpm: bool) -> None:
    machine = v2vlint.open(*images).machine
    wanted, found = theirs(images, *(["--no-applications"] if rpm else [])), ET.fromstring(render([machine]))
    same(without_applications(found) if rpm else found, wanted, machine)


def same(found: ET.Element, wanted: ET.Element, machine: Machine) -> None:
    """Both documents are equal, but for the differences that docs/inspect.md lists."""
    wanted = as_later_ones(wanted, machine)
    for system, other in zip(found, wanted, strict=False):
        _drop_what_they_miss(system, other)
    known = {device_path(device) for device in machine.devices}
    lost = {one.text for one in found.iter("mountpoint") if one.get("dev", "").startswith("/dev/") and one.get("dev") not in known}
    for system in (*found, *wanted):
        _drop(system, lost, known)
    assert flat(found) == flat(wanted)


def _drop_what_they_miss(system: ET.Element, other: ET.Element) -> None:
    """Without the host name that libguestfs does not find, and Defender, which only later ones list."""
    hostname, listed = system.find("hostname"), system.find("applications")
    if hostname is not None and other.find("hostname") is None and other.findtext("name") == "windows":
        system.remove(hostname)
    defender = None if other.find(".//name[.='WinDefend']") is not None else system.find(".//application/name[.='WinDefend']/..")
    if listed is not None and defender is not None:
        listed.remove(defender)
        listed.text = listed.text if len(listed) else ""


def _drop(system: ET.Element, lost: set[str | None], known: set[str]) -> None:
    """Without what is mounted, or swapped to, from a disk that the guest does not have."""
    mounts, filesystems = (system.find(tag) for tag in ("mountpoints", "filesystems"))
    assert mounts is not None
    assert filesystems is not None
    for mount in [one for one in mounts if one.text in lost]:
        mounts.remove(mount)
        filesystems.remove(next(one for one in filesystems if one.get("dev") == mount.get("dev")))
    for swap in [one for one in filesystems if one.get("dev", "/").startswith("/dev/") and one.get("dev") not in known]:
        filesystems.remove(swap)


def as_later_ones(root: ET.Element, machine: Machine) -> ET.Element:
    """What libguestfs 1.48 answers, with the answers that later ones changed: the first column of the table in docs/inspect.md."""
    for system in list(root):
        osinfo, name = system.find("osinfo"), system.findtext("root", "")
        if osinfo is not None and (osinfo.text or "").startswith("sles15"):
            osinfo.text = (osinfo.text or "").replace("sles", "sle")
        if osinfo is not None and osinfo.text in ("win10", "win2k16"):
            build = next(one.release.build_id for one in machine.systems if one.release.type == "windows")
            later = {("win10", True): "win11", ("win2k16", True): "win2k25"}
            osinfo.text = later.get((osinfo.text, int(build) >= 22000), osinfo.text)
        if name.startswith("btrfsvol:") and any(_same_system(system, other) for other in root if other is not system):
            root.remove(system)
            continue
        _resolve_uuids(system, machine)
    return root


def _same_system(snapshot: ET.Element, other: ET.Element) -> bool:
    device = other.findtext("root", "")
    same = all(snapshot.findtext(tag) == other.findtext(tag) for tag in ("distro", "product_name", "major_version", "minor_version"))
    return same and snapshot.findtext("root", "").startswith(f"btrfsvol:{device}/")


def _resolve_uuids(system: ET.Element, machine: Machine) -> None:
    paths = {f"/dev/disk/by-uuid/{volume.uuid}": volume.path for volume in machine.volumes}
    for element in system.iter():
        element.attrib.update({name: paths.get(value, value) for name, value in element.attrib.items()})
    for table in system.findall("filesystems"):
        table[:] = sorted(table, key=lambda one: one.get("dev", ""))


@pytest.mark.parametrize("name", SAMPLES)
def test_sample_guests(name: str) -> None:
    compare(cached(name), name in RPM)


@pytest.mark.parametrize("spec", REAL)
def test_real_debian(spec: Spec) -> None:
    try:
        image = build(spec)
    except BuildError as error:
        pytest.skip(str(error))
    compare((image,), rpm=False)


@pytest.fixture(scope="session")
def schema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The schema as guestfs-tools ships it; it may be copied freely, and is not copied here."""
    if not SCHEMA.exists() or shutil.which("xmllint") is None:
        pytest.skip("guestfs-tools' schema or xmllint is not installed")
    path = tmp_path_factory.mktemp("schema") / "virt-inspector.rng"
    path.write_bytes(gzip.decompress(SCHEMA.read_bytes()))
    return path


def errors(schema: Path, document: Path) -> str:
    done = subprocess.run(["xmllint", "--noout", "--relaxng", str(schema), str(document)], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in recipes()])
def test_every_document_is_valid(name: str, schema: Path, tmp_path: Path) -> None:
    machine = v2vlint.open(*cached(name)).machine
    assert [one for system in machine.systems for one in contradictions(system)] == []
    text = render([machine])
    document = tmp_path / "machine.xml"
    document.write_text(text, encoding="utf-8")
    if "<distro>rocky</distro>" in text:
        assert errors(schema, document)
        document.write_text(text.replace("<distro>rocky</distro>", "<distro>rhel</distro>"), encoding="utf-8")
    assert errors(schema, document) == ""


def test_what_no_xml_may_hold_is_spelt_out() -> None:
    hostile = "".join(map(chr, range(256))) + "\u202e\ud800\udcff\uffff\U0001f600"
    element = ET.fromstring(f"<a>{escaped(hostile)}</a>")
    wanted = hostile.replace("\ud800", "\\ud800").replace("\udcff", "\\xff").replace("\uffff", "\\uffff")
    for code in (*range(9), 11, 12, *range(14, 32)):
        wanted = wanted.replace(chr(code), f"\\x{code:02x}")
    assert element.text == wanted
