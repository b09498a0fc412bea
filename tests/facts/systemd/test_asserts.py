"""``Assert…=``: what a container with Debian's systemd 252 did with each of these cells is the last word of its row."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.facts.guests import fact
from tests.facts.systemd.cells import GONE, forecast
from tests.facts.systemd.nspawn import Cell, available, reached
from v2vlint.facts.boot.cmdline import KernelArg
from v2vlint.facts.syntax.ini import ini_from, joined
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.asserts import asserts
from v2vlint.facts.systemd.tmpfiles import MAX_LINES, PATH_MAX
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.guest.fs import MAX_TEXT, GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.place import Span
from v2vlint.model.rule import Content, Link
from v2vlint.samples.memory import MemoryFileSystem, memory_guest

UNITS = "/etc/systemd/system"
REQUIRED = {f"{UNITS}/local-fs.target.requires/data.mount": Link(f"{UNITS}/data.mount")}
MOUNT = "[Unit]\n{}\n[Mount]\nWhat={}\nWhere=/data\n"
TMPFS = "tmpfs /data tmpfs {} 0 0\n"


def stated(unit: str, *lines: str) -> dict[str, str]:
    text = "\n".join(("[Unit]", *lines, ""))
    return {f"{UNITS}/{unit}.d/a.conf": text}


NOT_SO = "AssertPathExists=/nowhere"
DATA = TMPFS.format("defaults")


def on_data(*lines: str, **links: str) -> tuple[str, dict[str, str | Link]]:
    """fstab and files: /data with these lines in a drop-in, and links in /opt by name."""
    return DATA, {**stated("data.mount", *lines), **{f"/opt/{name}": Link(target) for name, target in links.items()}}


def on_basic(path: str, tmpfiles: str = "", **links: str) -> tuple[str, dict[str, str | Link]]:
    """fstab and files: basic.target, which starts after all folders are made, requires the folder ``path``."""
    made: dict[str, str | Link] = {"/etc/tmpfiles.d/x.conf": f"{tmpfiles}\n", **{f"/opt/{name}": Link(to) for name, to in links.items()}}
    return DATA, {**stated("basic.target", f"AssertPathIsDirectory={path}"), **made}


CELLS: list[tuple[str, Mapping[str, str | Link], str]] = [
    ("", {f"{UNITS}/data.mount": MOUNT.format("AssertPathExists=/nowhere", GONE), **REQUIRED}, "emergency"),
    ("", {f"{UNITS}/data.mount": MOUNT.format("AssertPathExists=/nowhere", "tmpfs\nType=tmpfs"), **REQUIRED}, "emergency"),
    ("", {f"{UNITS}/data.mount": MOUNT.format("AssertPathExists=/etc/fstab", "tmpfs\nType=tmpfs"), **REQUIRED}, "up"),
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
    ("tmpfs / tmpfs defaults 0 0\n", stated("-.mount", NOT_SO), "up"),
    ("tmpfs /run tmpfs defaults 0 0\n", stated("run.mount", NOT_SO), "up"),
    (*on_data("ConditionPathExists=/nowhere", NOT_SO), "up"),
    (*on_data("ConditionPathExists=/etc", NOT_SO), "emergency"),
    (*on_data("ConditionPathExists=|/etc", "ConditionPathIsReadWrite=|/", NOT_SO), "emergency"),
    (*on_data("ConditionPathExists=|/nowhere", "ConditionPathIsDirectory=|/opt/nowhere", NOT_SO), "up"),
    (*on_data("ConditionPathExists=/nowhere", "ConditionVirtualization=", NOT_SO), "emergency"),
    (*on_data("AssertPathExists=|/nowhere", "AssertPathIsReadWrite=|/"), "up"),
    (*on_data("AssertPathExists=|/nowhere", "AssertPathIsDirectory=|/etc"), "up"),
    (*on_data("AssertPathExists=|/nowhere", "AssertPathIsDirectory=|/etc/fstab"), "emergency"),
    (*on_data("AssertPathExists=|/etc", "AssertPathIsDirectory=/etc/fstab"), "emergency"),
    (*on_data(NOT_SO, "AssertPathIsDirectory="), "up"),
    (*on_data(NOT_SO, "AssertVirtualization=", NOT_SO), "emergency"),
    (*on_data(NOT_SO, "AssertFoo="), "emergency"),
    (*on_data("ConditionFoo=x", NOT_SO), "emergency"),
    (*on_data("ConditionPathExists=etc/x", NOT_SO), "emergency"),
    (*on_data("ConditionPathExists=|/etc", "ConditionPathIsReadWrite=|etc", NOT_SO), "emergency"),
    (*on_data("ConditionPathExists=/nowhere", "ConditionFoo=", NOT_SO), "up"),
    (*on_data("AssertPathExists=|/nowhere", "AssertPathExists=|etc"), "emergency"),
    (*on_data("AssertFileNotEmpty=/etc/machine-id"), "up"),
    (*on_data("AssertPathExists=/opt/mtab", mtab="../proc/self/mounts"), "up"),
    (*on_data("AssertPathIsSymbolicLink=!/opt/mtab", mtab="../proc/self/mounts"), "emergency"),
    (*on_data("AssertPathExists=/opt/a", a="../opt/b"), "emergency"),
    (*on_data("AssertFileNotEmpty=/opt/a/fstab", a="b", b="../etc"), "up"),
    (*on_data("AssertFileNotEmpty=!/opt/a/fstab", a="b", b="../etc"), "emergency"),
    (*on_data("AssertPathExists=//etc/./nowhere/"), "emergency"),
    (*on_basic("/opt/a", a="/run/systemd"), "up"),
    (*on_basic("//data/"), "up"),
    (*on_basic("//run/./systemd"), "up"),
    (*on_basic("/var/lib/x1", "d /var/lib/x1"), "up"),
    (*on_basic("/opt/x1", 'f "/opt/x1/in %%/y"'), "up"),
    (*on_basic("/opt/x2/init.d", "C /opt/x2 - - - - /etc"), "up"),
    (*on_basic("/opt/x1", "d /opt/x10"), "nothing"),
    ("tmpfs /srv9/a tmpfs defaults 0 0\n", stated("basic.target", "AssertPathIsDirectory=/srv9"), "up"),
]


@pytest.mark.parametrize(("fstab", "files", "seen"), CELLS)
def test_a_failed_assertion_fails_its_unit(fstab: str, files: Mapping[str, str | Link], seen: str) -> None:
    assert forecast(Cell(fstab, files)) == seen


@pytest.mark.parametrize(("lines", "seen"), [(MAX_LINES, "emergency"), (MAX_LINES + 1, "up")])
def test_a_cap_on_tmpfiles_leaves_all_open(lines: int, seen: str) -> None:
    many = {"/etc/tmpfiles.d/a.conf": "\n" * (lines - 1) + "d /opt/x\n"}
    assert forecast(Cell(DATA, {**stated("data.mount", NOT_SO), **many})) == seen


def test_what_the_initramfs_mounts_is_not_started() -> None:
    units = {**stated("data.mount", NOT_SO), **stated("usr.mount", NOT_SO)}
    assert forecast(Cell(TMPFS.format("x-initrd.mount") + "tmpfs /usr tmpfs defaults 0 0\n", units)) == "up"


@pytest.mark.slow
@pytest.mark.truth
@pytest.mark.xdist_group("nspawn")
def test_a_container_does_the_same() -> None:
    if not available():
        pytest.skip("containers cannot be started here: systemd-nspawn as root and an overlay filesystem are needed")
    assert [(lines, files, found) for lines, files, seen in CELLS if (found := reached(Cell(lines, files))) != seen] == []


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


FILES: dict[str, Content] = {
    "/etc/empty": "", "/etc/full": "x", "/etc/link": Link("full"), "/opt/a": "x", "/srv/x": "x", "/run/x": "x", "/home/u": "x",
    "/bin": Link("usr/bin"), "/usr/bin/tool": "x", "/opt/mtab": Link("../proc/self/mounts"), "/opt/in": Link("/srv"), "/hidden/.x": "x",
    "/opt/etc": Link("../etc"), "/opt/loop": Link("loop"), "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "/usr/lib/tmpfiles.d/t.conf": "# d /opt\nd /t/./exact\nd /t/exact-x\nC! /t/copied - - - - /etc\nr /t/some/*.x\nf /t/%m\n",
    "/usr/lib/tmpfiles.d/not.conf": "d /t/masked\n", "/etc/tmpfiles.d/not.conf": Link("/dev/null"),
}  # fmt: skip


@pytest.mark.parametrize(
    ("line", "holds"),
    [
        ("AssertFileNotEmpty=/etc/machine-id", None),
        ("AssertPathExists=/etc/.updated", None),
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
        ("AssertFileIsExecutable=/bin/tool", False),
        ("AssertPathExists=/opt/mtab", None),
        ("AssertPathIsSymbolicLink=/opt/mtab", True),
        ("AssertPathExists=/opt/in/x", None),
        ("AssertFileNotEmpty=/opt/etc/full", True),
        ("AssertFileNotEmpty=//etc/./full", True),
        ("AssertPathExists=/opt/loop", None),
        ("AssertPathIsSymbolicLink=/opt/in/x", None),
        ("AssertPathExists=/mnt", None),
        ("AssertPathExists=/mnt/a/x", None),
        ("AssertPathExists=/mnt/b", False),
        (f"AssertPathExists=/mnt/{'a' * PATH_MAX}", None),
        ("AssertPathExists=/boot/x", None),
        ("AssertPathExists=/home/x", False),
        ("AssertDirectoryNotEmpty=/hidden", None),
        ("AssertPathExists=/t/exact", None),
        ("AssertPathExists=/t/exact/in", False),
        ("AssertPathExists=/t/copied/in", None),
        ("AssertPathExists=/t/some/in", None),
        ("AssertPathExists=/t/0123456789abcdef0123456789abcdef", None),
        ("AssertPathExists=/t/masked", False),
        ("AssertKernelCommandLine=BOOT_IMAGE", None),
    ],
)
def test_what_can_be_told(line: str, holds: bool | None) -> None:
    """A failing assertion is named; one that is not known fails nothing, and neither does its opposite."""
    where = Span("/x", 0, 0, 1)
    args = (KernelArg("quiet", None, where), KernelArg("root", "/dev/sda1", where))
    key, _, value = line.partition("=")
    opposite = f"{key}={value[1:] if value.startswith('!') else '|' + value[2:] if value.startswith('|!') else '!' + value}"
    fs = memory_guest({**FILES, "/u": f"[Unit]\n{line}\n", "/v": f"[Unit]\n{opposite}\n"})
    held = asserts(fs, (args,), ("/srv", "/mnt//a", "/"))
    texts = [text for path in ("/u", "/v") if (text := fs.text(path)) is not None]
    found = [held.failing(Unit("a.mount", text.path, joined([ini_from(text)]), (text,))) for text in texts]
    assert [bool(one) for one in found] == [holds is False, holds is True]


def test_with_several_default_entries_the_command_line_is_not_known() -> None:
    fs = memory_guest({"/u": "[Unit]\nAssertKernelCommandLine=quiet\n"})
    text = fs.text("/u")
    assert text is not None
    assert asserts(fs, ((), ()), ()).failing(Unit("a.mount", "/u", joined([ini_from(text)]), (text,))) is None
    assert asserts(fs, ((),), ()).failing(Unit("a.mount", "/u", joined([ini_from(text)]), (text,))) is not None


def test_tmpfiles_that_cannot_be_read_leave_all_open_and_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = "".join(f"AssertPathExists=/nowhere{number}\n" for number in range(9))
    fs = memory_guest({"/u": f"[Unit]\n{lines}", "/etc/tmpfiles.d/a.conf": "d /x\n", "/etc/tmpfiles.d/b.conf": "#" * (MAX_TEXT + 1)})
    text, asked, read = fs.text("/u"), list[str](), GuestFS.text

    def counted(own: GuestFS, path: str) -> GuestText | None:
        asked.append(path)
        return read(own, path)

    monkeypatch.setattr(GuestFS, "text", counted)
    assert text is not None
    assert asserts(fs, (), ()).failing(Unit("a.mount", "/u", joined([ini_from(text)]), (text,))) is None
    assert asked.count("/etc/tmpfiles.d/a.conf") == 1


def test_a_file_that_cannot_be_read_leaves_its_assertion_open() -> None:
    """And only that: a folder on a filesystem that is not known, and a host name that is too large to read."""
    units = {"/u": "[Unit]\nAssertPathExists=/lost/x\n", "/v": "[Unit]\nAssertPathExists=/nowhere\n"}
    large = "x" * (MAX_TEXT + 1)
    files = {**units, "/etc/hostname": large, f"{UNITS}/data.mount": MOUNT.format("AssertPathExists=/%H", "tmpfs")}
    found = fact(UnitFiles, files).own("data.mount")
    fs = GuestFS({"/": MemoryFileSystem(units), "/lost": MemoryFileSystem({}, stale="it was in use")})
    held = asserts(fs, (), ())
    assert found is not None
    assert held.failing(found) is None
    assert [bool(held.failing(Unit("a.mount", path, joined([ini_from(text)]), (text,)))) for path in units if (text := fs.text(path))] == [
        False,
        True,
    ]
