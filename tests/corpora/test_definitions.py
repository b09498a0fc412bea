"""Definitions that the projects themselves test with, fetched by whoever runs this and never kept here.

``V2VLINT_CORPORA=FOLDER`` (``make corpora FOLDER=…``) names a folder with any of: ``libvirt``, ``govmomi``, ``cot``, ``pve-storage``,
``qemu-server``, ``kubevirt``, ``virt-v2v``, ``utmconfigs``, ``openxenmanager``: clones or unpacked sources. What is not there is skipped.
The numbers are in docs/definitions.md; what differs is explained there.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from v2vlint.model.definition import Definition
from v2vlint.model.errors import ImageError
from v2vlint.source.kinds.kubevirt import kubevirt
from v2vlint.source.kinds.libvirt import domain
from v2vlint.source.kinds.ovf import ovf
from v2vlint.source.kinds.proxmox import proxmox
from v2vlint.source.kinds.utm import utm
from v2vlint.source.kinds.vbox import vbox
from v2vlint.source.kinds.vmx import vmx
from v2vlint.source.kinds.xva import xva

Parser = Callable[[str, bytes], Definition]
pytestmark = pytest.mark.skipif("V2VLINT_CORPORA" not in os.environ, reason="V2VLINT_CORPORA names no folder")
ROOT = Path(os.environ.get("V2VLINT_CORPORA", "."))


def files(project: str, pattern: str) -> list[Path]:
    found = sorted(path for path in (ROOT / project).rglob(pattern) if path.is_file())
    return found or pytest.skip(f"no {pattern} of {project} in {ROOT}")


def parsed(parser: Parser, paths: list[Path]) -> tuple[dict[Path, Definition], dict[Path, str]]:
    """What was read, and the reason for each file that was refused. Nothing may crash."""
    good: dict[Path, Definition] = {}
    bad: dict[Path, str] = {}
    for path in paths:
        try:
            good[path] = parser(str(path), path.read_bytes())
        except ImageError as error:
            bad[path] = error.message.removeprefix(f"{path}: ").removeprefix(f"{path.name}: ")
    print(f"{len(good)} read, {len(bad)} refused")
    return good, bad


def told(found: Definition, disks: bool = True) -> tuple[object, ...]:
    """What libvirt's XML and a VMX file have in common."""
    own = [(disk.bus, disk.path.rpartition("] ")[2].rpartition("/")[2]) for disk in found.disks if disk.path]
    cards = [(nic.mac, nic.model.lower()) for nic in found.nics]
    cores = found.topology.cores or 1
    return (sorted(own) if disks else (), cards, found.cpus, cores, found.memory_mib, found.firmware, found.name, found.uuid)


def test_vmx_files_mean_what_libvirt_says() -> None:
    differing = {}
    pairs = [(path, path.with_suffix(".xml")) for path in files("libvirt", "vmx2xmldata/*.vmx") if path.with_suffix(".xml").exists()]
    for path, xml in pairs:
        ours, theirs = vmx(path.name, path.read_bytes()), domain(xml.name, xml.read_bytes())
        raw = path.name.startswith("cdrom-") and "raw" in path.name
        if told(ours, not raw) != told(theirs, not raw):
            differing[path.name] = (told(ours), told(theirs))
    print(f"{len(pairs) - len(differing)} of {len(pairs)} equal")
    assert not differing


def test_domains_are_read() -> None:
    paths = [path for path in files("libvirt", "*.xml") if re.search(rb"<(domain|domstatus)[\s>]", path.read_bytes()[:4000])]
    _good, bad = parsed(domain, paths)
    unknown = {path: why for path, why in bad.items() if not re.search("not a libvirt domain|not valid XML|document type|larger than", why)}
    assert not unknown


@pytest.mark.parametrize(("before", "after"), [("qemuxml2argvdata", "qemuxml2xmloutdata"), ("qemuxmlconfdata", "qemuxmlconfdata")])
def test_domains_keep_their_meaning_when_libvirt_writes_them(before: str, after: str) -> None:
    differing, pairs = {}, 0
    for path in files("libvirt", f"{before}/*.xml"):
        written = path.parent.parent / after
        outputs = sorted(written.glob(f"{path.stem}.x86_64-latest.xml")) or sorted(written.glob(f"{path.stem}.xml"))
        if not outputs or outputs[0] == path:
            continue
        pairs += 1
        ours, theirs = (domain(one.name, one.read_bytes()) for one in (path, outputs[0]))
        one, other = ([(disk.bus, disk.target) for disk in found.disks] for found in (ours, theirs))
        if (one, ours.uuid, ours.cpus, ours.topology) != (other, theirs.uuid, theirs.cpus, theirs.topology):
            differing[path.name] = (one, other)
    print(f"{pairs - len(differing)} of {pairs} equal")
    assert not differing


def all_ovf() -> Iterator[Path]:
    for project in ("govmomi", "cot", "pve-storage"):
        yield from sorted(path for path in (ROOT / project).rglob("*.ovf") if path.is_file())


def test_ovf_files_are_read() -> None:
    """Those that are refused are no XML, have no virtual system, or are there to be refused."""
    paths = list(all_ovf()) or pytest.skip("no OVF files")
    good, bad = parsed(lambda where, data: ovf(where, data), paths)
    assert not {path: why for path, why in bad.items() if not re.search("no virtual system|not valid XML", why)}
    lost = [path for path, found in good.items() if any(not disk.bus for disk in found.disks) and b"Parent>" in path.read_bytes()]
    print(f"{len(lost)} with a disk whose controller is not known")
    too_much = {path.name: found.cpus for path, found in good.items() if found.cpus > 32}
    assert not too_much
    assert not [path for path, found in good.items() for one in found.passthrough if "CD" in one.value or "cdrom" in one.value.lower()]


@pytest.mark.parametrize(
    ("project", "pattern", "parser", "refused"),
    [
        ("qemu-server", "*.conf", proxmox, ""),
        ("kubevirt", "examples/*.yaml", kubevirt, "no VirtualMachine"),
        ("virt-v2v", "*.yaml.expected", kubevirt, ""),
        ("libvirt", "vboxsnapshotxmldata/*.vbox", vbox, ""),
        ("openxenmanager", "ova.xml", xva, ""),
    ],
)
def test_other_kinds(project: str, pattern: str, parser: Parser, refused: str) -> None:
    good, bad = parsed(parser, files(project, pattern))
    assert good
    assert not {path: why for path, why in bad.items() if not refused or not re.search(refused, why)}


def test_proxmox_machines_have_the_disks_that_qemu_is_given() -> None:
    """qemu-server's own expectations: the drives in the command line of every configuration."""
    differing, pairs = {}, 0
    for path in files("qemu-server", "cfg2cmd/*.conf"):
        command = path.with_name(f"{path.name}.cmd")
        if not command.exists():
            continue
        pairs += 1
        if "\ntemplate: 1" in path.read_text("utf-8"):
            continue
        text, own = command.read_text("utf-8"), path.read_text("utf-8")
        found = proxmox(path.name, own.encode())
        media = set(re.findall(r"^(\w+):.*media=cdrom", own.partition("\n[")[0], re.MULTILINE))
        given = set(re.findall(r"drive-((?:scsi|virtio|ide|sata)\d+)", text)) - media
        cpus = re.search(r"-smp '(\d+)", text)
        wanted = int(cpus[1]) if cpus and "vcpus" not in own else found.cpus
        if ({disk.target for disk in found.disks}, found.cpus) != (given, wanted):
            differing[path.name] = (found.disks, given, found.cpus, wanted)
    print(f"{pairs - len(differing)} of {pairs} equal")
    assert not differing


def test_utm_bundles() -> None:
    found = 0
    for archive in files("utmconfigs", "*.zip"):
        if not zipfile.is_zipfile(archive):
            continue
        with zipfile.ZipFile(archive) as packed:
            for name in packed.namelist():
                if name.endswith("config.plist") and "__MACOSX" not in name:
                    machine = utm(name, packed.read(name))
                    found += bool(machine.disks and machine.memory_mib)
    print(f"{found} read")
    assert found


def source_of(text: str) -> tuple[object, ...]:
    """What virt-v2v --print-source says: name, MiB, processors, firmware, generation ID, buses of the disks, MAC addresses."""

    def value(key: str) -> str:
        match = re.search(rf"^ *{key}: *(.*?)(?: \(bytes\))?$", text, re.MULTILINE)
        return match[1] if match else ""

    buses = re.findall(r"^\t\d+ \[(\w+)\]", text.partition("removable media:")[0], re.MULTILINE)
    memory, cpus = int(value("memory")) >> 20, int(value("nr vCPUs"))
    return value("source name"), memory, cpus, value("firmware"), value("VM genid"), buses, re.findall(r"mac: (\S+)", text)


@pytest.mark.parametrize(("pattern", "parser"), [("test-*i-vmx-*.vmx", vmx), ("test-*i-ova*.ovf", ovf)])
def test_virt_v2v_reads_the_same(pattern: str, parser: Parser) -> None:
    differing, pairs = {}, 0
    for path in files("virt-v2v", pattern):
        if path.with_suffix(".expected").exists():
            pairs += 1
            found = parser(path.name, path.read_bytes())
            buses = [disk.bus for disk in found.disks]
            ours = (
                found.name,
                found.memory_mib,
                found.cpus,
                found.firmware or "bios",
                found.genid,
                buses,
                [nic.mac for nic in found.nics if nic.mac],
            )
            theirs = source_of(path.with_suffix(".expected").read_text("utf-8"))
            if ours != theirs:
                differing[path.name] = (ours, theirs)
    print(f"{pairs - len(differing)} of {pairs} equal")
    assert not differing
