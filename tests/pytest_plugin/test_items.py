"""Items: collected without a look at the guest, and each outcome of a rule as an outcome of a test."""

from __future__ import annotations

import pytest

import v2vlint
from tests.pytest_plugin.guests import place, portable, vsphere
from v2vlint.engine import baseline

pytest_plugins = ("pytester",)
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("pytest_plugin")]

ROCKY = "rocky.qcow2"


def outcomes(result: pytest.RunResult) -> dict[str, int]:
    """What came of the items, without the rest of the last line."""
    counts = result.parseoutcomes()
    return {name: number for name, number in counts.items() if name in {"passed", "failed", "skipped", "errors", "warnings", "deselected"}}


def test_collecting_is_static(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("disk.qcow2").write_bytes(b"no disk image at all")
    result = pytester.runpytest_inprocess("--v2vlint", "disk.qcow2", "--collect-only", "-q")
    assert result.ret == 0
    ids = [line for line in result.outlines if "::" in line]
    assert ids[:2] == ["disk.qcow2::readable", "disk.qcow2::forecast"]
    assert "disk.qcow2::rules::fstab-device-name" in ids
    assert len(ids) == len(set(ids))


def test_several_targets_are_told_apart(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("disk.qcow2").write_bytes(b"")
    options = ["--v2vlint-target", "kvm", "--v2vlint-target", "azure", "--v2vlint-select", "fstab-device-name"]
    result = pytester.runpytest_inprocess("--v2vlint", "disk.qcow2", *options, "--collect-only", "-q")
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == [
        "readable",
        "forecast[kvm]",
        "forecast[azure]",
        "rules::fstab-device-name[kvm]",
        "rules::fstab-device-name[azure]",
    ]


def test_a_guest_with_nothing_to_say(pytester: pytest.Pytester) -> None:
    place(pytester.path, "debian.qcow2", portable())
    result = pytester.runpytest_inprocess("--v2vlint", "debian.qcow2", "-rs")
    assert result.ret == 0
    assert set(outcomes(result)) == {"passed", "skipped"}
    result.stdout.fnmatch_lines(["SKIPPED * debian.qcow2:1: not applicable: *"])


def test_the_definition_is_tested_although_its_disks_are_gone(pytester: pytest.Pytester) -> None:
    card = "<interface type='network'><mac address='52:54:00:00:00:01'/></interface>"
    disk = "<disk type='file' device='disk'><source file='/nowhere/web.qcow2'/><target dev='vda'/></disk>"
    pytester.path.joinpath("web.xml").write_text(f"<domain><name>web</name><devices>{disk}{card}{card}</devices></domain>\n")
    chosen = "--v2vlint-select=duplicate-mac-address,shared-disk,too-many-disks,fstab-device-name"
    result = pytester.runpytest_inprocess("--v2vlint", "web.xml", chosen, "--v2vlint-fail-on", "warning")
    assert outcomes(result) == {"passed": 1, "failed": 1, "skipped": 1, "errors": 3}
    result.stdout.fnmatch_lines(["*two network cards have the MAC address 52:54:00:00:00:01*"])


def test_findings_fail_with_a_report_and_warn_below_the_threshold(pytester: pytest.Pytester) -> None:
    place(pytester.path, ROCKY, vsphere())
    chosen = "--v2vlint-select=initramfs-without-storage-driver,lvm-devices-file,interface-name-bound,fstab-device-name"
    result = pytester.runpytest_inprocess("--v2vlint", ROCKY, chosen)
    assert outcomes(result) == {"passed": 4, "failed": 2, "warnings": 2}
    result.stdout.fnmatch_lines(
        [
            "*rocky.qcow2 :: forecast*",
            "rocky.qcow2 does not boot on kvm: stops at initramfs",
            "  ok      kernel *",
            "  FAILS   initramfs *",
            "*rocky.qcow2 :: initramfs-without-storage-driver*",
            "error: /boot/initramfs-5.14.0-362.8.1.el9_3.x86_64.img: *lacks virtio_blk*",
            "  effect: *",
            "  fix (safe): add virtio_blk to the initramfs*",
            "    append virtio_blk to /boot/initramfs*",
            '    +add_drivers+=" virtio_blk "',
            "*V2vlintWarning: rocky.qcow2: interface-name-bound: /etc/NetworkManager/*:5:16: *",
            "*V2vlintWarning: rocky.qcow2: lvm-devices-file: /etc/lvm/devices/system.devices:4:1: *",
            "FAILED rocky.qcow2::forecast - *",
        ]
    )
    result.stdout.no_fnmatch_line("*items.py*Failed*")


def test_the_threshold_makes_warnings_fail_and_shows_the_line(pytester: pytest.Pytester) -> None:
    place(pytester.path, ROCKY, vsphere())
    options = ["--v2vlint-fail-on=warning", "--v2vlint-select=lvm-devices-file", "--v2vlint-ignore=forecast"]
    result = pytester.runpytest_inprocess("--v2vlint", ROCKY, *options)
    assert outcomes(result) == {"passed": 1, "failed": 1}
    result.stdout.fnmatch_lines(["  >    4 | IDTYPE=sys_wwid*", "         | ^^^^^^*"])


def test_selection_of_pytest(pytester: pytest.Pytester) -> None:
    place(pytester.path, ROCKY, vsphere())
    pytester.makepyfile("def test_own(): pass")
    few = "--v2vlint-select=initramfs-without-storage-driver,fstab-device-name"
    by_keyword = pytester.runpytest_inprocess("--v2vlint", ROCKY, few, "-k", "fstab")
    assert outcomes(by_keyword) == {"passed": 1, "deselected": 4}
    by_mark = pytester.runpytest_inprocess("--v2vlint", ROCKY, few, "-m", "v2vlint", "-x")
    assert outcomes(by_mark) == {"passed": 1, "failed": 1, "deselected": 1}
    last_failed = pytester.runpytest_inprocess("--v2vlint", ROCKY, few, "--lf")
    assert outcomes(last_failed)["failed"] == 1
    assert outcomes(last_failed).get("passed", 0) == 0
    by_id = pytester.runpytest_inprocess("--v2vlint", ROCKY, few, f"{ROCKY}::rules::fstab-device-name")
    assert outcomes(by_id) == {"passed": 1}


PARTS = {
    "forecast": ["forecast[kvm]", "forecast[azure]"],
    "forecast[azure]": ["forecast[azure]"],
    "readable": ["readable"],
    "rules": ["rules::fstab-device-name[kvm]", "rules::fstab-device-name[azure]"],
    "rules::fstab-device-name": ["rules::fstab-device-name[kvm]", "rules::fstab-device-name[azure]"],
    "rules::fstab-device-name[kvm]": ["rules::fstab-device-name[kvm]"],
}


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_a_guest(pytester: pytest.Pytester, part: str) -> None:
    pytester.path.joinpath("disk.qcow2").write_bytes(b"")
    options = ["--v2vlint-target=kvm,azure", "--v2vlint-select=fstab-device-name", "--collect-only", "-q"]
    result = pytester.runpytest_inprocess("--v2vlint", f"disk.qcow2::{part}", *options)
    assert [line.partition("::")[2] for line in result.outlines if "::" in line] == PARTS[part]


def test_a_part_that_is_not_there(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("disk.qcow2").write_bytes(b"")
    result = pytester.runpytest_subprocess("--v2vlint", "disk.qcow2::forcast", "--collect-only")
    assert result.ret != 0
    assert any("disk.qcow2::forcast: there is no such item" in line for line in (*result.errlines, *result.outlines))


def test_what_cannot_be_evaluated_is_an_error(pytester: pytest.Pytester) -> None:
    pytester.path.joinpath("disk.qcow2").write_bytes(b"QFI\xfb" + bytes(600))
    result = pytester.runpytest_inprocess("--v2vlint", "disk.qcow2", "--v2vlint-select", "fstab-device-name")
    assert outcomes(result) == {"errors": 3}
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*ERROR at setup of disk.qcow2 :: readable*", "disk.qcow2: qcow2 version 0 is not supported"])


DRIVER = "initramfs-without-storage-driver"
EXCEPTION = '[[exceptions]]\nid = "{}"\nimage = "rocky.qcow2"\nreason = "rebuilt on the way (OPS-7)"\n'
SKIPS = {"passed": 2, "skipped": 1}
WARNS = {**SKIPS, "warnings": 1}
BOTH = f"{DRIVER},fstab-device-name"
DECISIONS = {
    "exception": (DRIVER, EXCEPTION.format("initramfs-*"), {"passed": 1, "skipped": 2}, "SKIPPED * excepted: rebuilt on the way (OPS-7)"),
    "forecast": ("fstab-device-name", EXCEPTION.format("forecast"), SKIPS, "SKIPPED * excepted: rebuilt *"),
    "baseline": (DRIVER, 'baseline = "known.json"', SKIPS, "SKIPPED * excepted or in the baseline"),
    "severity": (DRIVER, f'[severity]\n{DRIVER} = "warning"', WARNS, f"SKIPPED * {DRIVER} is only warning here"),
    "ignore": (BOTH, f'ignore = "{DRIVER}"', {"passed": 2, "failed": 1}, "FAILED rocky.qcow2::forecast*"),
}


@pytest.mark.parametrize(("chosen", "text", "expected", "line"), DECISIONS.values(), ids=DECISIONS)
def test_decisions_of_the_configuration_count(
    pytester: pytest.Pytester, chosen: str, text: str, expected: dict[str, int], line: str
) -> None:
    image = place(pytester.path, ROCKY, vsphere())
    if "known.json" in text:
        pytester.path.joinpath("known.json").write_text(baseline.render(baseline.entries(v2vlint.check(image, select=[DRIVER]).images)))
    pytester.path.joinpath("v2vlint.toml").write_text(text)
    result = pytester.runpytest_inprocess("--v2vlint", ROCKY, f"--v2vlint-select={chosen}", "-rsf")
    assert outcomes(result) == expected
    result.stdout.fnmatch_lines([line])
    pytester.makepyfile(f"import pytest_v2vlint as p\ndef test_one(v2vlint_open):\n    p.assert_portable(v2vlint_open({ROCKY!r}))")
    portable = pytester.runpytest_inprocess(f"--v2vlint-select={chosen}")
    assert outcomes(portable) == ({"failed": 1} if "failed" in expected else {"passed": 1})


def test_ini_keys(pytester: pytest.Pytester) -> None:
    place(pytester.path, ROCKY, vsphere())
    pytester.makeini(
        f"[pytest]\nv2vlint_images = {ROCKY}\nv2vlint_target = vmware azure\nv2vlint_select = fstab-device-name\nv2vlint_ignore = forecast"
    )
    result = pytester.runpytest_inprocess("-v")
    result.stdout.fnmatch_lines(
        ["rocky.qcow2::rules::fstab-device-name[[]vmware] PASSED*", "rocky.qcow2::rules::fstab-device-name[[]azure] PASSED*"]
    )


def test_images_among_the_arguments_need_to_be_switched_on(pytester: pytest.Pytester) -> None:
    place(pytester.path, ROCKY, vsphere())
    pytester.makepyfile("def test_own(): pass")
    assert outcomes(pytester.runpytest_inprocess()) == {"passed": 1}
    collected = pytester.runpytest_inprocess("--v2vlint-collect", "--collect-only", "-q")
    collected.stdout.fnmatch_lines(["rocky.qcow2::readable"])


def test_disks_of_one_guest(pytester: pytest.Pytester) -> None:
    for name in ("a.qcow2", "b.qcow2"):
        pytester.path.joinpath(name).write_bytes(b"")
    result = pytester.runpytest_inprocess("--v2vlint", "a.qcow2+b.qcow2", "--collect-only", "-q")
    result.stdout.fnmatch_lines(["a.qcow2+b.qcow2::forecast"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--v2vlint", "nothing.qcow2"], "*--v2vlint nothing.qcow2: *no such file*"),
        (["--v2vlint", "disk.qcow2", "--v2vlint-target", "moon"], "*unknown target 'moon'*"),
        (["--v2vlint", "disk.qcow2", "--v2vlint-select", "no-such-rule"], "*no-such-rule*"),
    ],
)
def test_mistakes_are_usage_errors(pytester: pytest.Pytester, options: list[str], message: str) -> None:
    pytester.path.joinpath("disk.qcow2").write_bytes(b"")
    result = pytester.runpytest_subprocess(*options)
    assert result.ret in (pytest.ExitCode.USAGE_ERROR, pytest.ExitCode.INTERRUPTED)
    (result.stderr if any("ERROR" in line for line in result.errlines) else result.stdout).fnmatch_lines([message])
