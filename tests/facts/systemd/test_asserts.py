"""``Assert…=``: what a container with Debian's systemd 252 did with each of these cells is the last word of its row."""

from __future__ import annotations

import pytest

from tests.facts.systemd.cells import GONE, forecast
from tests.facts.systemd.nspawn import Cell
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.syntax.ini import ini_from, joined
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.asserts import asserts
from v2vlint.model.place import Span
from v2vlint.model.rule import Content, Link
from v2vlint.samples.memory import memory_guest

UNITS = "/etc/systemd/system"
REQUIRED = {f"{UNITS}/local-fs.target.requires/data.mount": Link(f"{UNITS}/data.mount")}
MOUNT = "[Unit]\n{}\n[Mount]\nWhat={}\nWhere=/data\n"
TMPFS = "tmpfs /data tmpfs {} 0 0\n"


def stated(unit: str, *lines: str) -> dict[str, str]:
    text = "\n".join(("[Unit]", *lines, ""))
    return {f"{UNITS}/{unit}.d/a.conf": text}


@pytest.mark.parametrize(
    ("fstab", "files", "seen"),
    [
        ("", {f"{UNITS}/data.mount": MOUNT.format("AssertPathExists=/nowhere", GONE), **REQUIRED}, "emergency"),
        ("", {f"{UNITS}/data.mount": MOUNT.format("AssertPathExists=/nowhere", "tmpfs"), **REQUIRED}, "emergency"),
        ("", {f"{UNITS}/data.mount": MOUNT.format("AssertPathExists=/etc/fstab", "tmpfs"), **REQUIRED}, "up"),
        (TMPFS.format("defaults"), stated("data.mount", "AssertPathIsDirectory=/nowhere"), "emergency"),
        (TMPFS.format("nofail"), stated("data.mount", "AssertPathExists=/nowhere"), "up"),
        (TMPFS.format("defaults"), stated("data.mount", "AssertPathExists=|/nowhere", "AssertPathExists=|/etc"), "up"),
        (TMPFS.format("defaults"), stated("data.mount", "AssertPathExists=!/etc"), "emergency"),
        (TMPFS.format("defaults"), stated("data.mount", "AssertKernelCommandLine=foo"), "emergency"),
        (TMPFS.format("defaults"), stated("data.mount", "AssertPathExists=/nowhere", "AssertPathExists="), "up"),
        ("", stated("local-fs.target", "AssertPathExists=/nowhere"), "up"),
        ("", stated("multi-user.target", "AssertPathExists=/nowhere"), "up"),
        ("", stated("basic.target", "AssertPathExists=/nowhere"), "nothing"),
        ("", stated("sysinit.target", "AssertPathExists=/nowhere"), "nothing"),
    ],
)
def test_a_failed_assertion_fails_its_unit(fstab: str, files: dict[str, str | Link], seen: str) -> None:
    assert forecast(Cell(fstab, files)) == seen


@pytest.mark.parametrize(
    ("specifier", "settings"),
    [
        ("%m", {"/etc/machine-id": "0123456789abcdef0123456789abcdef\n"}),
        ("%H", {"/etc/hostname": "web1\n"}),
        ("%l", {"/etc/hostname": "web1.example.org\n"}),
    ],
)
def test_names_of_the_guest_in_units(specifier: str, settings: dict[str, str]) -> None:
    """Each stopped in emergency mode."""
    name = "0123456789abcdef0123456789abcdef" if specifier == "%m" else "web1"
    lost = {f"{UNITS}/var-{name}.mount": f"[Mount]\nWhat={GONE}\nWhere=/var/{name}\nType=ext4\n"}
    files = {**settings, **lost, **stated("data.mount", f"RequiresMountsFor=/var/{specifier}")}
    assert forecast(Cell(TMPFS.format("defaults"), files)) == "emergency"


FILES: dict[str, Content] = {"/etc/empty": "", "/etc/full": "x", "/etc/link": Link("full"), "/opt/a": "x", "/srv/x": "x", "/run/x": "x"}


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("AssertPathExists=/opt/a", True),
        ("AssertPathExists=/opt/b", False),
        ("AssertPathExists=/srv/x", None),
        ("AssertPathExists=/run/y", None),
        ("AssertPathExists=/opt/../x", None),
        ("AssertPathExists=/%b", None),
        ("AssertPathIsDirectory=/opt", True),
        ("AssertPathIsDirectory=/opt/a", False),
        ("AssertPathIsSymbolicLink=/etc/link", True),
        ("AssertPathIsSymbolicLink=/etc/full", False),
        ("AssertDirectoryNotEmpty=/opt", True),
        ("AssertDirectoryNotEmpty=/opt/a", False),
        ("AssertFileNotEmpty=/etc/full", True),
        ("AssertFileNotEmpty=/etc/empty", False),
        ("AssertFileIsExecutable=/opt/a", False),
        ("AssertKernelCommandLine=quiet", True),
        ("AssertKernelCommandLine=root=/dev/sda1", True),
        ("AssertKernelCommandLine=root", True),
        ("AssertKernelCommandLine=root=/dev/sdb1", False),
        ("AssertKernelVersion=<1", None),
        ("AssertPathExists=!/opt/b", True),
        ("AssertPathExists=|!/opt/a", False),
    ],
)
def test_what_can_be_told(line: str, holds: bool | None) -> None:
    """A failing assertion is named; one that is not known fails nothing, and neither does its opposite."""
    where = Span("/x", 0, 0, 1)
    args = (KernelArg("quiet", None, where), KernelArg("root", "/dev/sda1", where))
    key, _, value = line.partition("=")
    opposite = f"{key}={value[1:] if value.startswith('!') else '|' + value[2:] if value.startswith('|!') else '!' + value}"
    fs = memory_guest({**FILES, "/u": f"[Unit]\n{line}\n", "/v": f"[Unit]\n{opposite}\n"})
    held = asserts(fs, (args,), ("/srv", "/"))
    texts = [text for path in ("/u", "/v") if (text := fs.text(path)) is not None]
    found = [held.failing(Unit("a.mount", text.path, joined([ini_from(text)]), (text,))) for text in texts]
    assert [bool(one) for one in found] == [holds is False, holds is True]


def test_with_several_default_entries_the_command_line_is_not_known() -> None:
    fs = memory_guest({"/u": "[Unit]\nAssertKernelCommandLine=quiet\n"})
    text = fs.text("/u")
    assert text is not None
    assert asserts(fs, ((), ()), ()).failing(Unit("a.mount", "/u", joined([ini_from(text)]), (text,))) is None
    assert asserts(fs, ((),), ()).failing(Unit("a.mount", "/u", joined([ini_from(text)]), (text,))) is not None
