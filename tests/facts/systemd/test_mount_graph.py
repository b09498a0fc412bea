"""Which mounts stop the boot: every row was seen in a container with Debian's systemd 252 (see nspawn.py)."""

from __future__ import annotations

import pytest

from tests.facts.guests import fact
from tests.facts.systemd.cells import GONE, forecast
from tests.facts.systemd.nspawn import MASKED, Cell
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.facts.systemd.mount_units import MountUnits, device_of
from v2vlint.facts.systemd.unit_files import unit_name
from v2vlint.model.rule import Link

ETC, LIB = "/etc/systemd/system", "/usr/lib/systemd/system"
X = f"{GONE} /x ext4"
TMPFS = "[Mount]\nWhat=tmpfs\nWhere=/x\nType=tmpfs\n"
NATIVE = "[Mount]\nWhat=/dev/gone\nWhere=/x\n"


SERVICE = "[Unit]\nDefaultDependencies=no\nRequires=x.mount\nAfter=x.mount\n"
GENERATORS = "/usr/lib/systemd/system-generators"
FSTAB_GENERATOR = "/systemd/system-generators/systemd-fstab-generator"
LOST = "[Unit]\nRequires=dev-gone.device\nAfter=dev-gone.device\n"
FAILS = "OnFailure=emergency.target\n"
OWN_LOCAL = "[Unit]\nDefaultDependencies=no\nConflicts=shutdown.target\nAfter=local-fs-pre.target\n"


def serving(owner: str, before: str = "", kind: str = "requires") -> dict[str, str | Link]:
    service = f"{SERVICE}{before}[Service]\nType=oneshot\nExecStart=/bin/true\n"
    return {f"{ETC}/a.service": service, f"{ETC}/{owner}.{kind}/a.service": Link("../a.service")}


def linked(owner: str, kind: str = "requires", body: str = NATIVE) -> dict[str, str | Link]:
    return {f"{ETC}/x.mount": body, f"{ETC}/{owner}.{kind}/x.mount": Link("../x.mount")}


def templated(unit: str, service: str = "") -> dict[str, str | Link]:
    text = f"[Unit]\nDefaultDependencies=no\nBefore=local-fs.target\n{unit}[Service]\nType=oneshot\nExecStart=/bin/true\n{service}"
    instance = {f"{ETC}/local-fs.target.requires/a@x.service": Link("../a@.service")}
    return {f"{ETC}/x.mount": NATIVE, f"{ETC}/a@.service": text, **instance}


def failing(link: str, unit: str) -> dict[str, str | Link]:
    return {f"{ETC}/a.service": f"[Unit]\n{unit}[Service]\nExecStart=/bin/true\n", f"{ETC}/{link}": Link(f"{ETC}/a.service")}


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ("defaults", "emergency"),
        ("nofail", "up"),
        ("noauto", "up"),
        ("noauto,auto", "emergency"),
        ("nofail,fail", "emergency"),
        ("_netdev", "up"),
        ("x-systemd.automount", "up"),
        ("x-systemd.makefs", "emergency"),
        ("x-systemd.wanted-by=multi-user.target", "up"),
        ("x-systemd.required-by=multi-user.target", "up"),
        ("x-systemd.required-by=local-fs.target", "emergency"),
        ("x-systemd.required-by=local-fs.target,nofail", "up"),
        ("x-systemd.required-by=local-fs.target,nofail,x-systemd.before=local-fs.target", "emergency"),
    ],
)
def test_options(options: str, ends: str) -> None:
    assert forecast(Cell(f"{X} {options} 0 2\n")) == ends


@pytest.mark.parametrize("options", ["defaults", "nofail", "_netdev", "x-systemd.wanted-by=multi-user.target"])
def test_basic_target_requires_the_mount_of_var_whatever_its_options(options: str) -> None:
    """No service starts without it, and there is no shell."""
    assert forecast(Cell(f"{GONE} /var ext4 {options} 0 2\n")) == ("emergency" if options == "defaults" else "nothing")
    assert forecast(Cell(f"{GONE} /var/log ext4 nofail 0 2\n")) == "up"


@pytest.mark.parametrize(
    ("more", "ends"),
    [
        ("/x/y /srv/y none bind 0 0", "emergency"),
        ("/x/y /srv/y none bind,nofail 0 0", "up"),
        ("tmpfs /x/t tmpfs defaults 0 0", "emergency"),
        ("tmpfs /x/t tmpfs nofail 0 0", "up"),
        ("tmpfs /t tmpfs x-systemd.requires=/x 0 0", "emergency"),
        ("tmpfs /t tmpfs x-systemd.requires=x.mount 0 0", "emergency"),
        ("tmpfs /t tmpfs x-systemd.requires-mounts-for=/x/q 0 0", "emergency"),
        ("tmpfs /xx tmpfs defaults 0 0", "up"),
    ],
)
@pytest.mark.parametrize("option", ["nofail", "noauto"])
def test_what_depends_on_an_optional_mount(option: str, more: str, ends: str) -> None:
    assert forecast(Cell(f"{X} {option} 0 2\n{more}\n")) == ends


@pytest.mark.parametrize(
    ("fstab", "ends"),
    [
        (f"tmpfs /x tmpfs defaults 0 0\n{X} defaults 0 2\n", "up"),
        (f"{X} defaults 0 2\ntmpfs /x tmpfs defaults 0 0\n", "emergency"),
        ("tmpfs /t tmpfs x-systemd.requires=/dev/gone 0 0\n", "emergency"),
        ("tmpfs /t tmpfs x-systemd.requires=dev-gone.device 0 0\n", "emergency"),
        (f"{GONE} none swap sw 0 0\n", "up"),
        (f"{GONE} /x\n", "emergency"),
        (f"{GONE}\n", "up"),
        (f"{GONE} /dev/shm ext4 defaults 0 0\n", "up"),
    ],
)
def test_lines(fstab: str, ends: str) -> None:
    assert forecast(Cell(fstab)) == ends


@pytest.mark.parametrize(
    ("fstab", "files", "ends"),
    [
        (f"{X} defaults 0 2\n", {f"{ETC}/x.mount": MASKED}, "up"),
        (f"{X} defaults 0 2\n", {f"{ETC}/x.mount": TMPFS}, "up"),
        (f"{X} defaults 0 2\n", {f"{LIB}/x.mount": TMPFS}, "emergency"),
        (f"{X} noauto 0 2\n", {f"{ETC}/local-fs.target.d/a.conf": "[Unit]\nRequires=x.mount\n"}, "emergency"),
        (f"{X} nofail 0 2\n", {f"{ETC}/local-fs.target.d/a.conf": "[Unit]\nRequires=x.mount\n"}, "up"),
        (f"{X} nofail 0 2\n", {f"{ETC}/local-fs.target.d/a.conf": "[Unit]\nRequires=x.mount\nAfter=x.mount\n"}, "emergency"),
        (f"{X} nofail 0 2\n", {f"{ETC}/x.mount.d/a.conf": "[Unit]\nOnFailure=emergency.target\n"}, "emergency"),
        (
            "tmpfs /t tmpfs defaults 0 0\n",
            {f"{ETC}/t.mount.d/a.conf": "[Unit]\nRequires=dev-gone.device\nAfter=dev-gone.device\n"},
            "emergency",
        ),
        ("", {f"{ETC}/x.mount": NATIVE}, "up"),
        ("", linked("local-fs.target"), "emergency"),
        ("", linked("local-fs.target", "wants"), "up"),
        ("", linked("multi-user.target"), "up"),
        ("", linked("sysinit.target"), "nothing"),
        (f"{GONE} /var ext4 nofail 0 2\n", {f"{LIB}/basic.target": "[Unit]\nRequires=sysinit.target\nRequiresMountsFor=/var\n"}, "nothing"),
        (f"{X} defaults 0 2\n", {f"{ETC}/local-fs.target": MASKED}, "up"),
        (f"{X} defaults 0 2\n", {f"{ETC}/local-fs.target": OWN_LOCAL}, "up"),
        (f"{X} defaults 0 2\n", {f"{ETC}/local-fs.target.d/a.conf": "[Unit]\nOnFailure=\n"}, "emergency"),
        (f"{X} defaults 0 2\n", {f"{ETC}/emergency.target": MASKED}, "up"),
        (f"{X} defaults 0 2\n", {f"{ETC}/emergency.service": MASKED}, "up"),
        (f"{GONE} /var ext4 nofail 0 2\n", {f"{ETC}/default.target": Link("/lib/systemd/system/rescue.target")}, "up"),
        (f"{GONE} /var ext4 nofail 0 2\n", {f"{ETC}/default.target": Link("/lib/systemd/system/odd.target")}, "up"),
        (f"{GONE} /var ext4 nofail 0 2\n", {f"{ETC}/default.target": MASKED}, "up"),
        (f"{X} noauto 0 2\n", serving("local-fs.target"), "emergency"),
        (f"{X} noauto 0 2\n", serving("local-fs.target", kind="wants"), "up"),
        (f"{X} noauto 0 2\n", serving("sysinit.target", "Before=sysinit.target\n"), "nothing"),
        (f"{X} noauto 0 2\n", serving("sysinit.target", "Before=sysinit.target\n", "wants"), "up"),
        (
            "",
            {f"{ETC}.attached/x.mount": NATIVE, f"{ETC}/local-fs.target.requires/x.mount": Link("../../system.attached/x.mount")},
            "emergency",
        ),
        (f"{X} defaults 0 2\n", {f"{ETC}.control/x.mount": MASKED}, "up"),
        (f"{X} defaults 0 2\n", {f"{ETC}/x.mount": Link("../../../dev/null")}, "up"),
        (f"{X} defaults 0 2\n", {f"{ETC}/emergency.service": Link("../../../dev/null")}, "up"),
        ("", {**linked("local-fs.target"), f"{ETC}/local-fs.target.requires/x.mount": Link("../../../../dev/null")}, "up"),
        ("", {**linked("local-fs.target"), f"{ETC}/local-fs.target.requires/x.mount": "not a link"}, "up"),
        (f"{X} defaults 0 2\n", {f"/etc{FSTAB_GENERATOR}": MASKED}, "up"),
        (f"{X} defaults 0 2\n", {f"/usr/local/lib{FSTAB_GENERATOR}": ""}, "up"),
        (f"{X} defaults 0 2\n", {f"{GENERATORS}/systemd-{name}-generator": "elf" for name in ("debug", "getty")}, "up"),
        (f"{X} defaults 0 2\n", {f"{GENERATORS}/systemd-gpt-auto-generator": "elf"}, "emergency"),
        (f"{X} defaults 0 2\n", {f"{GENERATORS}/netplan": "elf"}, "emergency"),
        (f"{X} defaults 0 2\n", {f"/usr/lib{FSTAB_GENERATOR}": "elf"}, "emergency"),
        (f"{X} defaults 0 2\n", {f"{ETC}/x.mount.d/a.conf": "[Mount]\nWhat=tmpfs\nType=tmpfs\n"}, "emergency"),
        (f"{X} defaults 0 0\n", {f"{ETC}/x.mount.d/a.conf": "[Mount]\nWhat=tmpfs\nType=tmpfs\n"}, "up"),
        (f"{GONE} /none/../x ext4 defaults 0 2\n", {}, "up"),
        ("", linked("local-fs.target", body="[Mount]\nWhat=/dev/gone\n"), "emergency"),
        ("", linked("local-fs.target", body="[Mount]\nWhat=/dev/gone\nWhere=/%p\n"), "emergency"),
        ("", linked("local-fs.target", body="[Mount]\nWhat=/dev/gone\nWhere=%f\n"), "emergency"),
        ("", linked("local-fs.target", body="[Mount]\nWhat=/dev/gone\nWhere=/%z\n"), "emergency"),
        ("", linked("local-fs.target", body="[Mount]\nWhat=/dev/gone\nWhere=/y\n"), "up"),
        ("", templated("Requires=%i.mount\nAfter=%i.mount\n"), "emergency"),
        ("", templated("RequiresMountsFor=/%I\n"), "emergency"),
        ("", templated("", "WorkingDirectory=/x/%j\n"), "emergency"),
        ("", templated("", "WorkingDirectory=-/x\n"), "up"),
        (f"{GONE} /var/lib ext4 nofail 0 2\n", templated("", "StateDirectory=a\n"), "emergency"),
        (
            f"{X} nofail 0 2\n",
            failing("multi-user.target.wants/a.service", "RequiresMountsFor=/x\nOnFailure=emergency.target\n"),
            "emergency",
        ),
        (f"{X} nofail 0 2\n", failing("gone.target.wants/a.service", "RequiresMountsFor=/x\nOnFailure=emergency.target\n"), "up"),
        (f"{X} nofail 0 2\n", failing("multi-user.target.wants/a.service", "RequiresMountsFor=/x\nOnFailure=b.service\n"), "up"),
        (f"{X} _netdev 0 2\n", {f"{ETC}/remote-fs.target.d/a.conf": "[Unit]\nOnFailure=emergency.target\n"}, "emergency"),
        ("tmpfs /t tmpfs\n", {f"{ETC}/mount.d/a.conf": LOST}, "emergency"),
        ("tmpfs /t tmpfs\n", {f"{ETC}/mount.d/a.conf": LOST, f"{ETC}/t.mount.d/a.conf": ""}, "up"),
        ("tmpfs /t tmpfs\n", {f"{LIB}/t.mount.d/a.conf": LOST, f"{ETC}/mount.d/a.conf": ""}, "emergency"),
        ("tmpfs /t/u tmpfs\n", {f"{LIB}/t-u.mount.d/a.conf": LOST, f"{ETC}/t-.mount.d/a.conf": ""}, "up"),
        ("tmpfs /t/u tmpfs\n", {f"{ETC}/t-u.mount.d/a.conf": "", f"{ETC}/t-.mount.d/a.conf": LOST}, "up"),
        (
            "",
            {**linked("own.target"), f"{ETC}/own.target": Link(f"{LIB}/local-fs.target"), f"{LIB}/local-fs.target": OWN_LOCAL + FAILS},
            "emergency",
        ),
        (
            f"{X} noauto 0 2\n",
            {f"{ETC}/own.target": Link("local-fs.target"), f"{ETC}/own.target.d/a.conf": "[Unit]\nRequires=x.mount\n"},
            "emergency",
        ),
    ],
)
def test_units(fstab: str, files: dict[str, str | Link], ends: str) -> None:
    assert forecast(Cell(fstab, files)) == ends


@pytest.mark.parametrize(
    ("cmdline", "ends"),
    [
        ("fstab=no", "up"),
        ("fstab=0", "up"),
        ("rd.fstab=no", "emergency"),
        ("systemd.mask=x.mount", "up"),
        ("systemd.mask=emergency.target", "up"),
        ("systemd.unit=rescue.target", "emergency"),
        ("single", "emergency"),
        ("systemd.unit=emergency.target", "emergency"),
    ],
)
def test_command_line(cmdline: str, ends: str) -> None:
    assert forecast(Cell(f"{X} defaults 0 2\n", {}, cmdline)) == ends


@pytest.mark.parametrize(
    ("fstab", "files", "ends"),
    [
        (f"tmpfs /srv tmpfs defaults 0 0\n{GONE} /data ext4 defaults 0 2\n", {}, "up"),
        (f"{GONE} /srv ext4 nofail 0 2\ntmpfs /data/in tmpfs defaults 0 0\n", {}, "emergency"),
        (f"{GONE} /srv ext4 nofail 0 2\n/data/in /mnt none bind 0 0\n", {"/srv/in/a": ""}, "up"),
        (f"{GONE} /data ext4 defaults 0 2\n", {f"{ETC}/data.mount": MASKED}, "emergency"),
        (f"{GONE} /data ext4 defaults 0 2\n", {f"{ETC}/srv.mount": MASKED}, "up"),
    ],
)
def test_a_mount_point_that_is_a_link_has_the_unit_of_where_it_leads(fstab: str, files: dict[str, str | Link], ends: str) -> None:
    assert forecast(Cell(fstab, {"/data": Link("srv"), **files})) == ends


@pytest.mark.parametrize(
    ("fstab", "links", "ends"),
    [
        (f"{GONE} /d/in ext4 nofail 0 2\ntmpfs /srv/in/b tmpfs defaults 0 0\n", {"/d": "e", "/e": "/srv"}, "emergency"),
        (f"{GONE} /d ext4 nofail 0 2\ntmpfs /new/b tmpfs defaults 0 0\n", {"/d": "/new"}, "emergency"),
        (f"tmpfs /run/x tmpfs defaults 0 0\n{GONE} /var/run/x ext4 defaults 0 2\n", {"/var/run": "/run"}, "up"),
    ],
)
def test_chains_of_links_and_links_that_lead_to_nothing_yet(fstab: str, links: dict[str, str], ends: str) -> None:
    assert forecast(Cell(fstab, {name: Link(goal) for name, goal in links.items()})) == ends


REQUISITE = "[Unit]\nRequisite=a.service\n"
A_SERVICE = {f"{ETC}/a.service": "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/a\n"}


@pytest.mark.parametrize(
    ("files", "ends"),
    [
        ({f"{ETC}/local-fs.target.d/a.conf": REQUISITE, **A_SERVICE}, "emergency"),
        ({f"{ETC}/sysinit.target.d/a.conf": REQUISITE, **A_SERVICE}, "nothing"),
        ({f"{ETC}/basic.target.d/a.conf": REQUISITE, **A_SERVICE}, "nothing"),
        ({f"{ETC}/multi-user.target.d/a.conf": REQUISITE, **A_SERVICE}, "up"),
        ({f"{ETC}/remote-fs.target.d/a.conf": REQUISITE, **A_SERVICE}, "up"),
        (
            {f"{ETC}/local-fs.target.d/a.conf": REQUISITE, **A_SERVICE, f"{ETC}/sysinit.target.wants/a.service": Link("../a.service")},
            "up",  # nothing is foretold: it may be in time
        ),
        ({f"{ETC}/local-fs.target.d/a.conf": REQUISITE, **A_SERVICE, f"{ETC}/a.path": "[Path]\nPathExists=/a\n"}, "up"),
        (
            {f"{ETC}/local-fs.target.d/a.conf": REQUISITE, **A_SERVICE, "/etc/udev/rules.d/1.rules": 'ENV{SYSTEMD_WANTS}="a.service"\n'},
            "up",
        ),
    ],
)
def test_what_a_target_finds_inactive(files: dict[str, str | Link], ends: str) -> None:
    """The first four were seen in a container."""
    assert forecast(Cell("", files)) == ends


def test_the_effect_names_the_unit_that_makes_an_optional_mount_vital() -> None:
    policy = fact(MountPolicy, {"/etc/fstab": f"{X} nofail 0 2\ntmpfs /x/t tmpfs defaults 0 0\n"})
    assert policy.effect(policy.entries[0]) == (
        "systemd waits 90 s for the device, then stops in emergency mode, as x-t.mount requires x.mount"
    )


def test_lines_without_a_unit_are_ignored() -> None:
    units = fact(MountUnits, {"/etc/fstab": f"tmpfs /x tmpfs\n{X}\nproc /proc proc\n", f"{ETC}/y.mount": MASKED})
    assert [(entry.device, entry.mount_point) for entry in units.ignored] == [(GONE, "/x"), ("proc", "/proc")]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/", "-.mount"),
        ("/srv/a-b//c/", "srv-a\\x2db-c.mount"),
        ("/.x", "\\x2ex.mount"),
        ("/a b", "a\\x20b.mount"),
        ("/ü", "\\xc3\\xbc.mount"),
    ],
)
def test_unit_names(path: str, name: str) -> None:
    """As systemd-escape --path --suffix=mount."""
    assert unit_name(path, ".mount") == name


def test_devices_of_units() -> None:
    assert [device_of("dev-disk-by\\x2duuid-1.device"), device_of("a.mount")] == ["/dev/disk/by-uuid/1", ""]
