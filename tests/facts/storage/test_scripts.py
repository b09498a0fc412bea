"""What inits other than systemd do without a filesystem, as their scripts say; util-linux is asked where it runs here."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import need
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.facts.storage.script_checks import ScriptChecks
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Content, Link
from v2vlint.samples.boot import sample_boot, sample_initramfs
from v2vlint.samples.memory import memory_guest

Files = dict[str, Content]

UUID = "11111111-2222-4333-8444-555555555555"
SYSV: Files = {"/etc/inittab": "", "/etc/rcS.d/S08checkfs.sh": ""}
OFF: Files = {"/etc/inittab": "", "/etc/rcS.d/S09mountall.sh": "", "/etc/rcS.d/K01checkfs.sh": ""}
REDHAT: Files = {"/etc/inittab": "", "/etc/rc.d/rc.sysinit": ""}
OPENRC: Files = {"/sbin/init": b"\x7fELF /etc/inittab", "/etc/inittab": "si::sysinit:/sbin/openrc sysinit\n"}
VOID: Files = {"/sbin/init": Link("runit-init"), "/sbin/runit-init": b"\x7fELF", "/etc/runit/core-services/03-filesystems.sh": ""}
RUNIT: Files = {
    "/sbin/init": Link("runit-init"),
    "/sbin/runit-init": b"\x7fELF",
    "/etc/rcS.d/S08checkfs.sh": Link("../init.d/checkfs.sh"),
    "/etc/init.d/checkfs.sh": "",
}
S6: Files = {"/sbin/init": b"#!/bin/sh\nexec s6-linux-init\n"}
BUSYBOX: Files = {"/sbin/init": Link("/bin/busybox"), "/bin/busybox": b"\x7fELF", "/etc/inittab": "::sysinit:/etc/init.d/rcS\n"}
NATIVE: Files = {"/etc/runit/native.boot.run": "", "/etc/runit/boot-run/1.sh": ""}
INITS = {
    "sysv": (SYSV, "debian"), "redhat": (REDHAT, "rhel"), "openrc": (OPENRC, "gentoo"), "void": (VOID, "void"), "runit": (RUNIT, "debian"),
    "off": (OFF, "debian"), "s6": (S6, "artix"), "busybox": (BUSYBOX, "linux"),
}  # fmt: skip


NO_DISKS = BlockTable()
DISK = BlockTable((BlockDevice("disk1", "disk", 1 << 30, 0), BlockDevice("disk1p1", "partition", 1 << 29, 0, 1, "ext4", "77", "there")))


def policy(init: str, line: str, more: Files | None = None, blocks: BlockTable = NO_DISKS) -> tuple[MountPolicy, bool]:
    """The policy of an init and whether the first of some lines stops the boot."""
    files, family = INITS[init]
    fs = memory_guest({**files, **(more or {}), "/etc/fstab": f"{line}\n"})
    facts = FactStore((fs, blocks, OsInfo("linux", family, family, "Linux"), Definition("", "")))
    found = facts.get(MountPolicy)
    return found, found.stops(facts.get(Fstab).entries[0])


@pytest.mark.parametrize(
    ("line", "stopping"),
    [
        ("/dev/sdq1 /a ext4 defaults 0 2", {"sysv", "redhat", "void", "runit"}),
        ("/dev/sdq1 /a ext4 defaults 0 0", {"void"}),
        ("/dev/sdq1 /a ext4 noauto 0 2", {"sysv", "redhat", "void", "runit"}),
        ("/dev/sdq1 /a ext4 noauto 0 0", set()),
        ("/dev/sdq1 /a ext4 nofail 0 2", set()),
        ("/dev/sdq1 /a ext4 _netdev 0 2", {"sysv", "runit"}),
        ("/dev/sdq1 /a vfat defaults 0 2", {"sysv", "redhat", "void", "runit", "openrc"}),
        ("/dev/sdq1 /a auto defaults 0 2", {"void"}),
        ("/dev/sdq1 none swap sw 0 0", {"void"}),
        ("/dev/sdq1 none swap nofail 0 0", set()),
        ("h:/x /a nfs defaults 0 2", set()),
        ("/dev/sdq1 / ext4 noatime 0 1", {"sysv", "redhat", "void", "runit"}),
        ("/dev/sdq1 / ext4 noatime 0 0", set()),
        (f"UUID={UUID} / ext4 noatime 0 0", {"void", "openrc"}),
        (f"UUID={UUID} / ext4 ro 0 0", {"void"}),
        (f"UUID={UUID} /usr ext4 defaults 0 0", {"void", "openrc"}),
    ],
)
@pytest.mark.parametrize("init", [name for name in INITS if name != "off"])
def test_what_stops_the_boot(init: str, line: str, stopping: set[str]) -> None:
    found, stops = policy(init, line)
    assert stops is (init in stopping)
    assert found.style == {"redhat": "sysv", "void": "runit", "runit": "sysv", "s6": "unknown", "busybox": "unknown"}.get(init, init)


CMDLINE = "menuentry x {{\n linux /vmlinuz root=/dev/sda1 {}\n}}\n"


@pytest.mark.parametrize(
    ("init", "more", "stops"),
    [
        ("sysv", {"/fastboot": ""}, False),
        ("sysv", {"/forcefsck": ""}, True),
        ("sysv", {"/boot/grub/grub.cfg": CMDLINE.format("fastboot")}, False),
        ("sysv", {"/boot/grub/grub.cfg": CMDLINE.format("quiet")}, True),
        ("sysv", {"/etc/default/rcS": "FSCKTYPES=none\n"}, False),
        ("sysv", {"/etc/rcS.d/S08checkfs.sh": Link("/nowhere"), "/etc/rcS.d/S09mountall.sh": ""}, True),
        ("off", {}, False),
        ("off", {"/etc/runlevels/sysinit/mountall.sh": ""}, True),
        ("sysv", {"/etc/default/rcS": "FSCKTYPES=xfs,ext3\n"}, False),
        ("sysv", {"/etc/default/rcS": "FSCKTYPES=ext4,xfs\n"}, True),
        ("sysv", {"/etc/default/rcS": "#FSCKTYPES=none\n"}, True),
        ("redhat", {"/fastboot": ""}, False),
        ("redhat", {"/etc/default/rcS": "FSCKTYPES=none\n"}, True),
        ("void", {"/fastboot": ""}, True),
        ("openrc", {"/etc/conf.d/localmount": 'critical_mounts="/home /a"\n'}, True),
        ("openrc", {"/etc/conf.d/localmount": '#critical_mounts="/a"\n'}, False),
        ("openrc", {"/etc/runlevels/boot/checkfs.sh": ""}, True),
        ("runit", {"/etc/runit/no.emulate.sysv.d/checkfs.sh": ""}, False),
        ("runit", NATIVE, False),
        ("runit", {"/etc/runit/native.boot.run": ""}, True),
    ],
)
def test_what_changes_that(init: str, more: Files, stops: bool) -> None:
    assert policy(init, "/dev/sdq1 /a ext4 defaults 0 2", more)[1] is stops


FSCK = "/etc/conf.d/fsck"


@pytest.mark.parametrize(
    ("line", "more", "stops"),
    [
        ("ext4 nofail 0 0", {"/etc/conf.d/localmount": 'critical_mounts="/a"\n'}, False),
        ("ext4 noauto 0 0", {"/etc/conf.d/localmount": 'critical_mounts="/a"\n'}, False),
        ("vfat defaults 0 2", {FSCK: 'fsck_mnt="/home"\n'}, False),
        ("vfat defaults 0 0", {FSCK: 'fsck_mnt="/home /a/"\n'}, True),
        ("vfat nofail 0 2", {FSCK: 'fsck_passno=">1"\n'}, True),
        ("vfat nofail 0 2", {FSCK: 'fsck_passno="=1"\n'}, False),
        ("vfat defaults 0 2", {FSCK: 'fsck_passno="=1"\n'}, True),  # fsck without names checks all
        ("vfat defaults 0 2", {FSCK: 'fsck_passno="<9 3"\n'}, True),
        ("vfat defaults 0 2", {FSCK: 'fsck_mnt="/a"\nfsck_passno=">1"\n'}, False),  # neither is checked
        ("ext4 defaults 0 2", {FSCK: 'fsck_passno=">1"\n'}, False),
        ("vfat defaults 0 2", {FSCK: "fsck_abort_on_errors=no\n"}, True),
        ("vfat defaults 0 2", {FSCK: 'fsck_args="-p"\n'}, True),
    ],
)
def test_settings_of_openrc(line: str, more: Files, stops: bool) -> None:
    """Each was seen in a container: whether a service that needs localmount started with OpenRC 0.45 and the scripts of 0.63."""
    assert policy("openrc", f"/dev/sdq1 /a {line}", more)[1] is stops


@pytest.mark.parametrize(("passes", "checked"), [("<2", False), (">0", False), ("0", True), ("=0", True), ("1 <2", False)])
def test_openrc_compares_only_lines_with_a_pass_number(passes: str, checked: bool) -> None:
    """According to fstabinfo.c. The other line keeps fsck from being called without names, for all."""
    lines = "/dev/sdq1 /a vfat defaults 0 0\n/dev/sda1 / ext4 defaults 0 1"
    assert policy("openrc", lines, {FSCK: f'fsck_passno="{passes}"\n'})[1] is checked


@pytest.mark.parametrize(
    ("options", "other", "stops"),
    [
        ("nofail", f"UUID={UUID} /b ext4 defaults 0 0", True),
        ("nofail", f"UUID={UUID} /b ext4 nofail 0 0", False),
        ("nofail", f"UUID={UUID} /b ext4 noauto 0 0", False),
        ("nofail", f"UUID={UUID} /b ext4 _netdev 0 0", False),
        ("nofail", f"UUID={UUID} none swap sw 0 0", False),
        ("nofail", "LABEL=there /b ext4 defaults 0 0", False),
        ("nofail", "/dev/sdq1 /b ext4 defaults 0 0", False),  # such a name may be there
        ("nofail", "tmpfs /b tmpfs defaults 0 0", False),
        ("noauto", f"UUID={UUID} /b ext4 defaults 0 0", False),
        ("defaults", "tmpfs /b tmpfs defaults 0 0", True),
    ],
)
def test_another_mount_fails_and_localmount_looks_for_its_critical_ones(options: str, other: str, stops: bool) -> None:
    """Seen in a container with OpenRC 0.45: without another failure, ``mount -a`` succeeds and nothing is looked for."""
    more: Files = {"/etc/conf.d/localmount": 'critical_mounts="/a"\n'}
    assert policy("openrc", f"UUID=gone /a ext4 {options} 0 0\n{other}", more, DISK)[1] is stops


HOOK = "usr/lib/dracut/hooks/pre-pivot/50-mount-usr.sh"
OLD_HOOK = 'if [ -n "$AUTOFSCK_SINGLEUSER" ]; then\n\temergency_shell\nfi\nmount "$NEWROOT/usr" 2>&1 | vinfo\n'
NEW_HOOK = OLD_HOOK + 'if ! ismounted "$NEWROOT/usr"; then\n    warn "failed"\n    {}\nfi\n'


@pytest.mark.parametrize("options", ["defaults", "nofail", "noauto"])
@pytest.mark.parametrize(
    ("image", "effect"),
    [
        ({"init": "#!/bin/sh\nif read_fstab_entry /usr; then\n\tmountfs /usr\nfi\n"}, "waits 30 s for it, then stops in a shell"),
        ({"init": "#!/bin/sh\nmountroot\n"}, ""),
        ({HOOK: NEW_HOOK.format("emergency_shell")}, "stops in a shell"),
        ({HOOK.replace("usr/", "var/"): NEW_HOOK.format("emergency_shell")}, "stops in a shell"),
        ({HOOK: NEW_HOOK.format("action_on_fail")}, "stops in a shell"),
        ({HOOK: NEW_HOOK.format("action_on_fail"), "usr/lib/dracut/no-emergency-shell": ""}, ""),
        ({HOOK: NEW_HOOK.format("emergency_shell"), "usr/lib/dracut/no-emergency-shell": ""}, "stops in a shell"),
        ({HOOK: OLD_HOOK}, ""),
        ({HOOK: NEW_HOOK.format("true")}, ""),
        ({"usr/lib/dracut/modules.txt": "systemd\nusrmount\n"}, ""),
    ],
)
def test_an_initramfs_stops_without_usr_whatever_its_options(image: dict[str, str], effect: str, options: str) -> None:
    """dracut's hook goes on up to version 020."""
    dracut = {} if "init" in image else {"usr/lib/dracut/modules.txt": "usrmount\n"}
    made = sample_initramfs(files={**dracut, **image})
    more: Files = {**sample_boot(image=made)}
    found, stopping = policy("sysv", f"UUID={UUID} /usr ext4 {options} 0 0", more)
    assert stopping is bool(effect)
    told = policy("sysv", f"UUID={UUID} /usr ext4 {options} 0 0", {**sample_boot(image=made, args="rd.action_on_fail=continue")})
    assert told[1] is (bool(effect) and "action_on_fail" not in image.get(HOOK, ""))
    assert (found.effect(found.early) if found.early else "") == (f"the initramfs {effect}" if effect else "")
    assert not policy("sysv", f"UUID={UUID} /usr/local ext4 {options} 0 0", more)[1]
    assert not policy("sysv", f"tmpfs /usr tmpfs {options} 0 0", more)[1]


SOME: Files = {f"/usr/sbin/fsck.{kind}": "" for kind in ("ext4", "xfs", "cramfs")}


@pytest.mark.parametrize(
    ("kind", "programs", "stopping"),
    [
        ("ext4", SOME, {"sysv", "redhat", "void", "runit"}),
        ("cramfs", SOME, {"sysv", "redhat", "void", "runit"}),
        ("vfat", SOME, set()),
        ("vfat", {**SOME, "/sbin/fsck.vfat": ""}, {"sysv", "redhat", "void", "runit", "openrc"}),
        ("jfs", SOME, set()),
        ("f2fs", SOME, set()),
        ("vfat", {}, {"sysv", "redhat", "void", "runit", "openrc"}),
    ],
)
@pytest.mark.parametrize("init", ["sysv", "redhat", "void", "runit", "openrc"])
def test_without_a_program_nothing_is_checked(init: str, kind: str, programs: Files, stopping: set[str]) -> None:
    """Debian's checkfs.sh did this in a container that had the programs of e2fsprogs, xfsprogs and util-linux, and no dosfstools."""
    expected = (init in stopping) or init == "void"  # whose mount -a must not fail
    assert policy(init, f"UUID={UUID} /a {kind} defaults 0 2", programs)[1] is expected


def test_gentoo_runs_openrc_from_sysvs_inittab() -> None:
    facts = FactStore((memory_guest({"/sbin/init": b"\x7fELF /etc/inittab"}), BlockTable(), OsInfo("linux", "gentoo", "gentoo", "Gentoo")))
    assert facts.get(MountPolicy).style == "openrc"


def test_scripts_that_are_not_understood() -> None:
    for init, more in (("runit", NATIVE), ("s6", {}), ("busybox", {})):
        found, _stops = policy(init, "/dev/sdq1 /a ext4 defaults 0 2", more)
        assert found.style == "unknown"
        assert found.effect(found.entries[0]) == f"what {init} does without it is not known"


LINES = (
    "/dev/sdq9 /x ext4 defaults 0 2",
    f"UUID={UUID} /x ext4 defaults 0 2",
    "/dev/sdq9 /x ext4 nofail 0 2",
    "/dev/sdq9 /x ext4 noauto 0 2",
    "/dev/sdq9 /x xfs defaults 0 2",
    "/dev/sdq9 /x vfat defaults 0 2",
    "/dev/sdq9 /x nosuchfs defaults 0 2",
    "/dev/sdq9 /x ext4 _netdev 0 2",
    "/dev/sdq9 /x ext4 bind 0 2",
    "/dev/sdq9 /x auto defaults 0 2",
    "/dev/sdq9 none swap sw 0 2",
    "h:/x /x nfs defaults 0 2",
    "/dev/sdq9 /x ext4 defaults 0 0",
    "/dev/sdq9 / ext4 defaults 0 1",
)


@pytest.mark.parametrize("line", LINES)
def test_fsck_itself_says_the_same(tmp_path: Path, line: str) -> None:
    need("fsck", "fsck.ext4", "fsck.xfs", "fsck.vfat")
    table = tmp_path / "fstab"
    table.write_text(f"{line}\n")
    environment = {**os.environ, "FSTAB_FILE": str(table), "LIBMOUNT_FSTAB": str(table), "PATH": f"{os.environ['PATH']}:/usr/sbin:/sbin"}
    code = subprocess.run(["fsck", "-T", "-M", "-A", "-a"], env=environment, capture_output=True, check=False).returncode
    entry = FactStore((memory_guest({"/etc/fstab": f"{line}\n"}),)).get(Fstab).entries[0]
    assert ScriptChecks(True, network=True).fails(entry) is (code > 1)
    assert ScriptChecks(True, network=True, fatal=frozenset({"vfat", "msdos"})).fails(entry) is (code not in (0, 1, 8)), "OpenRC's reading"
