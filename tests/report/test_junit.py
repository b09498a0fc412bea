"""JUnit XML: Jenkins' schema, the mapping of outcomes, and that red cases and the exit code agree."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import xmlschema

from tests.report.checkers import junit_errors
from tests.report.reports import clean, empty, hostile, only, rich, unsure, warning
from v2vlint.model.finding import Severity
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Report
from v2vlint.report.formats import junit
from v2vlint.report.walk import exit_code

REPORTS = pytest.mark.parametrize("report", [rich(), hostile(), clean(), empty()], ids=["rich", "hostile", "clean", "empty"])
UNSURE = unsure("swap-device-name", WholeFile("/etc/fstab"), "it is longer than 1 MiB")
CRASHED = unsure("swap-device-name", WholeFile(""), "rule swap-device-name failed: KeyError: 'x'", crashed=True)


def cases_of(report: Report, suite: int = 0) -> dict[str, ET.Element]:
    root = ET.fromstring(junit.render(report))
    return {case.attrib["name"].split(":")[0]: case for case in root[suite].iter("testcase")}


@REPORTS
def test_fits_the_rules_of_jenkins(report: Report) -> None:
    assert junit_errors(junit.render(report)) == []


@pytest.fixture(scope="module")
def jenkins_schema(tmp_path_factory: pytest.TempPathFactory) -> xmlschema.XMLSchema:
    """Jenkins' junit-10.xsd out of pytest's source distribution, which tests with it too."""
    folder = tmp_path_factory.mktemp("xsd")
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        "pytest",
        "--dest",
        str(folder),
        "pytest==9.0.0",
    ]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("pytest's source distribution cannot be had here")
    archive = next(Path(folder).glob("pytest-*.tar.gz"))
    with tarfile.open(archive) as files:
        member = next(name for name in files.getnames() if name.endswith("/junit-10.xsd"))
        source = files.extractfile(member)
        assert source is not None
        return xmlschema.XMLSchema(source.read().decode())


@pytest.mark.slow
@REPORTS
def test_fits_the_schema_of_jenkins(report: Report, jenkins_schema: xmlschema.XMLSchema) -> None:
    assert [str(error) for error in jenkins_schema.iter_errors(junit.render(report))] == []


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (
            '<testsuites><testsuite name="a" tests="0" failures="0" errors="0" skipped="0" disabled="0"/></testsuites>',
            "testsuite has disabled",
        ),
        ('<testsuites skipped="0"/>', "testsuites has skipped"),
        ('<testsuites time="0.000012"/>', "time 0.000012"),
        ('<testsuites time="1e-05"/>', "time 1e-05"),
        ('<testsuites><testsuite name="a" tests="1" failures="0" errors="0" skipped="0"/></testsuites>', "a: tests is wrong"),
    ],
)
def test_the_checker_sees_what_jenkins_rejects(document: str, error: str) -> None:
    assert junit_errors(document) == [error]


def test_a_suite_is_an_image_and_a_case_a_rule() -> None:
    root = ET.fromstring(junit.render(rich()))
    assert [suite.attrib["name"] for suite in root] == ["images/web.qcow2", "db01.vmdk+data.vmdk", "dc7.vhdx", "old.qcow2"]
    case = cases_of(rich())["fstab-by-path [kvm]"]
    assert case.attrib["classname"] == "v2vlint.images_web_qcow2.storage"
    assert case.attrib["name"] == "fstab-by-path [kvm]: An fstab entry names a disk by its place on a bus"
    properties = {one.attrib["name"]: one.attrib["value"] for one in root[0].iter("property")}
    assert properties["system"] == "Rocky Linux 9.4 (x86_64)"
    assert properties["boot loader"] == "GRUB 2.06, UEFI, shim 15.8"


def test_outcomes() -> None:
    cases = cases_of(rich())
    failure = cases["fstab-by-path [kvm]"].find("failure")
    assert failure is not None
    assert failure.text is not None
    assert ">    4 | /dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1" in failure.text
    assert "+UUID=7b1f0d52" in failure.text
    outcomes = {name: [child.tag for child in case] for name, case in cases.items() if "[kvm]" in name}
    assert outcomes == {
        "boot [kvm]": ["failure"],
        "fstab-by-path [kvm]": ["failure"],
        "nic-name-pinned [kvm]": ["system-out"],
        "swap-device-name [kvm]": ["system-out"],
        "vmware-tools [kvm]": ["system-out"],
        "machine-id-baked-in [kvm]": ["skipped", "system-out"],
        "windows-storage-driver [kvm]": ["skipped"],
        "initramfs-root-driver [kvm]": ["failure"],
        "cloud-init-missing [kvm]": ["skipped"],
        "xorg-driver-fixed [kvm]": [],
    }
    assert cases["xorg-driver-fixed [azure]"][0].attrib["message"] == "could not tell: the conffile is longer than 1 MiB"
    unread = cases_of(rich(), 3)["image is readable"][0]
    assert (unread.tag, unread.attrib["message"]) == ("error", "extended L2 entries are not supported")


@pytest.mark.parametrize(
    "report",
    [
        clean(),
        rich(),
        only(warning(1)),
        only(warning(1, Severity.ERROR)),
        only(UNSURE),
        only(UNSURE, strict=True),
        only(CRASHED),
    ],
    ids=["clean", "rich", "warning", "error", "unsure", "strict", "crashed"],
)
def test_red_exactly_when_the_exit_code_is(report: Report) -> None:
    red = re.findall(r"<(failure|error) ", junit.render(report))
    assert bool(red) == (exit_code(report) != 0)
