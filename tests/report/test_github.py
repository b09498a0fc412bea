"""GitHub: annotations within the limits, no command that the guest wrote, and the job summary."""

from __future__ import annotations

import re

import pytest

from tests.report.reports import HOSTILE, clean, failing, hostile, only, rich, span, unsure, warning
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.place import WholeFile
from v2vlint.report.formats import github


def parse(line: str) -> tuple[str, dict[str, str], str]:
    """A workflow command as the runner reads it: level, properties, message."""
    match = re.fullmatch(r"::(\w+) (.*?)::(.*)", line)
    assert match, line
    properties = dict(pair.split("=", 1) for pair in match[2].split(","))
    for escape, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        properties = {name: value.replace(escape, char) for name, value in properties.items()}
    message = match[3].replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
    return match[1], properties, message


def test_a_finding_is_an_annotation_on_the_recipe() -> None:
    commands = [parse(line) for line in github.commands(rich()).splitlines()]
    level, properties, message = next(command for command in commands if "fstab-by-path" in command[1]["title"])
    assert level == "error"
    assert properties == {"file": "packer/web.pkr.hcl", "line": "1", "title": "v2vlint: fstab-by-path"}
    assert message.splitlines() == [
        "/srv/data is mounted from /dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1, gone behind another controller",
        "systemd waits 90 s for the device, then stops in emergency mode",
        "/etc/fstab:4:1 in images/web.qcow2, for kvm, azure",
        "fix (safe): mount /srv/data by UUID",
    ]


def test_every_level_and_nothing_accepted() -> None:
    text = github.commands(rich())
    titles = [(level, properties["title"].removeprefix("v2vlint: ")) for level, properties, _ in map(parse, text.splitlines())]
    assert titles == [
        ("error", "cannot be read in full"),
        ("error", "cannot be read in full"),
        ("error", "fstab-by-path"),
        ("error", "initramfs-root-driver"),
        ("error", "windows-storage-driver"),
        ("warning", "nic-name-pinned"),
        ("notice", "vmware-tools"),
        ("notice", "forecast"),
        ("notice", "forecast"),
        ("notice", "xorg-driver-fixed"),
    ]


def test_without_a_recipe_the_guests_file_is_named() -> None:
    assert parse(github.commands(only(warning(6))).splitlines()[0])[1] == {
        "file": "a.qcow2/etc/fstab",
        "line": "7",
        "col": "1",
        "title": "v2vlint: swap-device-name",
    }


@pytest.mark.parametrize(
    ("number", "lines", "last"), [(9, 9, "finding 8"), (10, 10, "and 1 more like these"), (60, 10, "and 51 more like these")]
)
def test_at_most_nine_of_a_level_and_how_many_more(number: int, lines: int, last: str) -> None:
    written = github.commands(only(*(warning(count) for count in range(number)))).splitlines()
    assert len(written) == lines
    assert parse(written[-1])[2].startswith(last)


def test_errors_come_before_what_is_cut() -> None:
    written = github.commands(only(*(warning(count) for count in range(20)), warning(99, Severity.ERROR))).splitlines()
    assert parse(written[0])[2].startswith("finding 99")


def test_the_guest_writes_no_command() -> None:
    text = github.render(hostile())
    opening, _, rest = text.partition("\n")
    token = opening.removeprefix("::stop-commands::")
    body, closing, commands = rest.partition(f"\n::{token}::\n")
    assert closing
    assert token not in body
    assert len(commands.splitlines()) == 4
    for line in commands.splitlines():
        level, properties, message = parse(line)
        assert level in {"error", "notice"}
        assert set(properties) <= {"file", "line", "col", "title"}
        assert "\\n::error::owned %0A##[add-mask]x]]>" in message


def test_a_message_reads_back_as_it_was() -> None:
    finding = Finding("x", Severity.WARNING, span("/a,b:c%0A", 1), "100 % of %0A, really: yes\r\n::warning::no")
    _, properties, message = parse(github.commands(only(failing(finding, "f"))).strip())
    assert properties["file"] == "a.qcow2/a,b:c%0A"
    assert message.splitlines()[0] == "100 % of %0A, really: yes\\r\\n::warning::no"


def test_an_unknown_is_a_notice_and_an_error_when_strict() -> None:
    unknown = unsure("x", WholeFile("/etc/fstab"), "too long")
    assert [parse(github.commands(only(unknown, strict=strict)).strip())[0] for strict in (False, True)] == ["notice", "error"]


def test_nothing_to_say() -> None:
    assert github.commands(clean()) == ""
    assert github.render(clean()).startswith("::stop-commands::")


def test_the_summary_is_the_report_or_its_overview() -> None:
    assert "### Boot forecast" in github.summary(rich())
    reason = HOSTILE * 40
    long = github.summary(only(*(unsure("x", WholeFile(f"/{number}"), reason) for number in range(200))))
    assert len(long.encode()) < 1_000_000
    assert "too long for a job summary" in long
    assert "200 not checked" in long
