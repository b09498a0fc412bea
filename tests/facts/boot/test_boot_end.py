"""Where the guest is told to go: what is no login, and what only looks like it."""

from __future__ import annotations

import pytest

from tests.facts.guests import DEBIAN, Files, fact
from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import plain_args
from v2vlint.facts.boot.entry import BootEntry, BootMenu
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition
from v2vlint.model.place import Span, WholeFile
from v2vlint.model.rule import Link
from v2vlint.samples.boot import sample_bzimage
from v2vlint.samples.memory import memory_guest

MASKED = Link("/dev/null")

SYSTEMD: Files = {"/sbin/init": Link("/lib/systemd/systemd"), "/lib/systemd/systemd": "", "/bin/sh": "", "/bin/bash": ""}
SYSV: Files = {"/sbin/init": b"\x7fELF....\0/etc/inittab\0", "/bin/sh": ""}
UNITS: Files = {f"/usr/lib/systemd/system/{name}.target": "[Unit]\n" for name in ("multi-user", "rescue", "emergency", "poweroff")}
ETC = "/etc/systemd/system"


def menu(*lines: str) -> Files:
    entries = "".join(f"menuentry a{number} {{\n linux /vmlinuz root=/dev/sda1 {line}\n}}\n" for number, line in enumerate(lines))
    return {"/boot/grub/grub.cfg": entries}


def loaders(*lines: str) -> Bootloader:
    """A menu for each firmware, with one entry."""
    places = [WholeFile(f"/boot/menu{number}") for number in range(len(lines))]
    entries = [BootEntry("a", "a", "", (), plain_args(line, at), at, at.path) for line, at in zip(lines, places, strict=True)]
    return Bootloader(tuple(BootMenu("grub2", "", at, (one,), one, "") for one, at in zip(entries, places, strict=True)))


@pytest.mark.parametrize(
    ("files", "shell"),
    [
        ({**SYSTEMD, **menu("init=/bin/bash")}, True),
        ({**SYSTEMD, **menu("init=/bin/zsh")}, False),  # not there, and the kernel neither
        ({**SYSTEMD, **menu("init=/lib/systemd/systemd")}, False),
        ({**SYSTEMD, **menu("quiet", "init=/bin/bash")}, False),  # not the default entry
        (SYSTEMD, False),
        ({"/bin/sh": Link("dash"), "/bin/dash": ""}, True),
        ({"/bin/sh": "", "/sbin/init": Link("/lib/systemd/systemd")}, True),
        ({"/bin/sh": "", "/etc/init": ""}, False),
        ({"/bin/sh": Link("busybox"), "/bin/busybox": "", "/sbin/init": Link("/bin/busybox")}, False),
        ({"/etc/hostname": "x"}, False),
    ],
)
def test_shells_in_place_of_an_init(files: Files, shell: bool) -> None:
    assert bool(fact(BootEnd, files).shell) is shell


@pytest.mark.parametrize(
    ("initrd", "init", "kernel", "word", "says"),
    [
        ("initrd /i", "usr/lib/systemd/systemd", "6.1.0-50-amd64", "init=/sbin/none", "systemd in the initramfs hands over to no other"),
        ("initrd /i", "", "6.1.0-50-amd64", "init=/sbin/none", ""),  # initramfs-tools and dracut without systemd
        ("initrd /i", "nix/store/x-stage-1-init.sh", "6.1.0-50-amd64", "init=/nix/store/x/init", "NixOS' first stage stops without it"),
        ("initrd /i", "usr/lib/systemd/systemd", "6.1.0-50-amd64", "init=/bin/sh", "starts a shell"),
        ("initrd /i", "usr/lib/systemd/systemd", "6.1.0-50-amd64", "init=/sbin/init", ""),
        ("", "", "6.1.0-50-amd64", "init=/sbin/none", "a kernel without an initramfs tries no other"),
        ("", "", "3.10.0-1160.el7.x86_64", "init=/sbin/none", ""),
        ("initrd /i", "usr/lib/systemd/systemd", "6.1.0-50-amd64", "init=/gnu/store/x-system/init", ""),
        ("initrd /gone", "", "6.1.0-50-amd64", "init=/sbin/none", ""),
    ],
)
def test_an_init_that_is_not_there(initrd: str, init: str, kernel: str, word: str, says: str) -> None:
    """Drawn guests booted: 10237 (dracut with systemd) stopped, 10209 (initramfs-tools) came up."""
    entry = f"menuentry a {{\n linux /boot/vmlinuz-{kernel} root=/dev/sda1 {word}\n {initrd}\n}}\n"
    boot: Files = {"/boot/grub/grub.cfg": entry, f"/boot/vmlinuz-{kernel}": sample_bzimage(kernel), "/i": "", "/nix/store/y/z": ""}
    fs = memory_guest({**SYSTEMD, **boot})
    image = Initramfs(WholeFile("/i"), files=frozenset({init or "init"}), links={"init": init} if init else {})
    known = Initramfses(fs, {"/i": image})
    found = FactStore((fs, BlockTable(), DEBIAN, Definition("", ""), known)).get(BootEnd)
    assert says in found.shell
    assert bool(found.shell) is bool(says)


@pytest.mark.parametrize(
    ("files", "lines", "shell"),
    [
        (SYSTEMD, ("init=/bin/sh", "quiet"), False),  # one of them starts systemd
        (SYSTEMD, ("quiet", "init=/bin/sh"), False),
        (SYSTEMD, ("init=/bin/sh", "init=/bin/sh quiet"), True),
        ({"/bin/sh": "", "/lib/systemd/systemd": ""}, ("init=/lib/systemd/systemd", ""), False),
        ({"/bin/sh": ""}, ("init=/lib/systemd/systemd", ""), True),
        ({"/bin/sh": ""}, ("init=/bin/sh", ""), True),
    ],
)
def test_a_shell_is_said_where_every_loader_leads_to_one(files: Files, lines: tuple[str, ...], shell: bool) -> None:
    assert bool(fact(BootEnd, files, loaders(*lines)).shell) is shell


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/multi-user.target")}, ""),
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/poweroff.target")}, "turns the machine off"),
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/none.target")}, "rescue.target, which ends in a shell"),
        ({**UNITS, **menu("systemd.unit=emergency.target")}, "emergency.target, which ends in an emergency shell"),
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/rescue.target"), **menu("3")}, ""),
        ({f"{ETC}/default.target": Link("/lib/systemd/system/none.target")}, ""),  # nothing is known of the vendor's units
        ({**UNITS, f"{ETC}/default.target": Link("/lib/systemd/system/multi-user.target"), **menu("S")}, "rescue.target"),
    ],
)
def test_systemd(files: Files, words: str) -> None:
    found = fact(BootEnd, {**SYSTEMD, **files}).maintenance
    assert words in found
    assert bool(found) is bool(words)


@pytest.mark.parametrize(
    ("files", "lines", "place"),
    [
        ({}, (), f"{ETC}/default.target"),
        ({}, ("quiet",), f"{ETC}/default.target"),
        ({}, ("rescue",), "/boot/menu0"),
        ({}, ("rescue", "single"), "/boot/menu0"),
        ({"/usr/lib/systemd/system/default.target": Link("rescue.target")}, ("quiet",), "/usr/lib/systemd/system/default.target"),
        ({f"{ETC}/default.target": Link("/lib/systemd/system/rescue.target")}, ("quiet", "3"), f"{ETC}/default.target"),
    ],
)
def test_what_leads_systemd_to_maintenance(files: Files, lines: tuple[str, ...], place: str) -> None:
    """Without a default target, an entry that tells none is not to blame."""
    found = fact(BootEnd, {**SYSTEMD, **UNITS, **files}, loaders(*lines))
    assert found.maintenance
    assert found.where == WholeFile(place)


def test_no_default_target_and_a_loader_that_cannot_be_read() -> None:
    found = fact(BootEnd, {**SYSTEMD, **UNITS})
    assert "rescue.target" in found.maintenance
    assert found.where == WholeFile(f"{ETC}/default.target")


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"/etc/inittab": "# id:1:initdefault:\nid:3:initdefault:\n"}, ""),
        ({"/etc/inittab": "id:S:initdefault:\n"}, "level S"),
        ({"/etc/inittab": "id:6:initdefault:\n"}, "restarts the machine again and again"),
        ({"/etc/inittab": "id:1:initdefault:\n", **menu("3")}, ""),
        ({"/etc/inittab": "id:3:initdefault:\n", **menu("single")}, "a single user"),
        ({}, ""),
    ],
)
def test_levels(files: Files, words: str) -> None:
    found = fact(BootEnd, {**SYSV, **files}).maintenance
    assert words in found
    assert bool(found) is bool(words)


WHOLE: Files = {
    f"/usr/lib/systemd/system/{name}.target": f"[Unit]\nRequires={needs}\n"
    for name, needs in (
        ("default", "multi-user.target"),
        ("multi-user", "basic.target"),
        ("basic", "sysinit.target"),
        ("sysinit", "\nWants=local-fs.target"),
    )
}
REQUIRED = f"{ETC}/multi-user.target.requires"
VENDOR = "/usr/lib/systemd/system"
STARTS = "[Service]\nExecStart=/a\n"
AFTER = "[Unit]\nAfter=sysinit.target\n"


def asked(*names: str) -> Files:
    """Links in the folder of what multi-user.target requires."""
    return {f"{REQUIRED}/{name}": Link(f"../{name}") for name in names}


def ordered(**units: str) -> Files:
    """Services by name, with what they say about others."""
    return {f"{ETC}/{name}.service": f"[Unit]\n{stated}\n{STARTS}" for name, stated in units.items()}


GENERATORS: Files = {f"/usr/lib/systemd/system-generators/systemd-{name}-generator": "x" for name in ("debug", "getty")}
"""A systemd that is whole, and without those that read fstab and partition tables."""


def needs(text: str) -> Files:
    return {f"{ETC}/multi-user.target.d/a.conf": f"[Unit]\n{text}\n"}


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({f"{REQUIRED}/gone.service": Link("../gone.service")}, "multi-user.target requires gone.service, which is not there"),
        ({f"{ETC}/basic.target.d/a.conf": "[Unit]\nBindsTo=gone.service\n"}, "basic.target requires gone.service"),
        ({f"{ETC}/basic.target.d/a.conf": "[Unit]\nRequisite=gone.socket\n"}, "basic.target requires gone.socket"),
        ({f"{ETC}/basic.target": MASKED}, "multi-user.target requires basic.target, which is masked"),
        (menu("systemd.mask=sysinit.target"), "basic.target requires sysinit.target, which is masked"),
        (
            {
                f"{REQUIRED}/a@x.service": Link("../a@.service"),
                f"{ETC}/a@.service": "[Unit]\nRequires=b-%i.service\n[Service]\nExecStart=/a\n",
            },
            "a@x.service requires b-x.service, which is not there",
        ),
        ({f"{REQUIRED}/x.mount": Link("../x.mount")}, "multi-user.target requires x.mount"),
        ({f"{REQUIRED}/x.mount": Link("../x.mount"), "/etc/fstab": "tmpfs /x tmpfs\n"}, ""),
        ({f"{ETC}/multi-user.target.wants/gone.service": Link("../gone.service")}, ""),
        ({f"{ETC}/multi-user.target.d/a.conf": "[Unit]\nWants=gone.service\nPartOf=lost.service\n"}, ""),
        ({f"{ETC}/local-fs.target.requires/gone.service": Link("../gone.service")}, ""),
        ({**asked("a.service"), f"{ETC}/a.service": "[Unit]\n"}, "multi-user.target requires a.service, which has no ExecStart="),
        ({**asked("a.service"), f"{ETC}/a.service": "[Service]\nType=oneshot\nExecStop=/a\n"}, "has no ExecStart="),
        ({**asked("a.service"), f"{ETC}/a.service": "[Service]\nRemainAfterExit=yes\nExecStop=/a\n"}, ""),
        ({**asked("a.service"), f"{ETC}/a.service": "[Unit]\nSuccessAction=reboot\n"}, ""),
        ({**asked("a.service"), f"{ETC}/a.service": ".include /lib/a.service\n"}, ""),
        ({**asked("a.service"), f"{ETC}/a.service": f"{STARTS}ExecStart=/b\n"}, "several ExecStart="),
        ({**asked("a.service"), f"{ETC}/a.service": f"{STARTS}ExecStart=/b\nType=oneshot\n"}, ""),
        ({**asked("a.service"), f"{ETC}/a.service": f"{STARTS}Type=dbus\n"}, "BusName="),
        ({**asked("a.socket"), f"{ETC}/a.socket": "[Unit]\n"}, "listens to nothing"),
        ({**asked("a.timer"), f"{ETC}/a.timer": "[Timer]\nUnit=b.service\n"}, "has no time"),
        ({**asked("a.path"), f"{ETC}/a.path": "[Path]\n"}, "watches no path"),
        ({**asked("x.mount"), f"{ETC}/x.mount": "[Mount]\nWhere=/x\n"}, "has no What="),
        ({**asked("x.mount"), f"{ETC}/x.mount": "[Mount]\nWhat=tmpfs\nWhere=/y\n"}, "has a Where= that is not its name's"),
        ({**asked("a.scope")}, "requires a.scope, which is not there"),
        ({**asked("init.scope")}, ""),
        ({**asked("srv.mount")}, ""),  # systemd-gpt-auto-generator may make it
        ({**asked("x.mount"), "/etc/fstab": "tmpfs /x tmpfs x-systemd.requires=gone.service\n"}, ""),
        ({f"{ETC}/multi-user.target.wants/a.service": Link("../a.service"), f"{ETC}/a.service": "[Unit]\n"}, ""),
        # Two that exclude each other.
        ({f"{ETC}/multi-user.target.d/a.conf": "[Unit]\nConflicts=basic.target\n"}, "multi-user.target requires basic.target, and"),
        ({**asked("a.service"), f"{ETC}/a.service": f"[Unit]\nConflicts=basic.target\n{STARTS}"}, "a.service conflicts with that"),
        ({**asked("shutdown.target"), f"{VENDOR}/shutdown.target": "[Unit]\nDefaultDependencies=no\n"}, "conflicts with that"),
        ({f"{ETC}/multi-user.target.d/a.conf": "[Unit]\nConflicts=local-fs.target\n"}, ""),
        ({f"{ETC}/multi-user.target.wants/a.service": Link("../a"), f"{ETC}/a.service": f"[Unit]\nConflicts=basic.target\n{STARTS}"}, ""),
        # Circles.
        (
            {**asked("a.service", "b.service"), **ordered(a="After=b.service", b="After=a.service")},
            "wait for each other",
        ),
        ({**asked("a.service", "b.service"), **ordered(a="After=b.service", b="After=c.service", c="After=a.service")}, ""),
        ({f"{ETC}/sysinit.target.requires/a.service": Link("../a.service"), **ordered(a="Before=sysinit.target")}, "each other"),
        (
            {
                f"{ETC}/sysinit.target.requires/a.service": Link("../a.service"),
                **ordered(a="DefaultDependencies=no\nBefore=sysinit.target"),
            },
            "",
        ),
        ({f"{ETC}/basic.target.d/a.conf": "[Unit]\nAfter=multi-user.target\n"}, ""),
        ({f"{ETC}/sysinit.target.d/a.conf": "[Unit]\nAfter=basic.target\n", f"{ETC}/basic.target.d/a.conf": AFTER}, "each other"),
        ({**asked("a.service"), **ordered(a="After=multi-user.target")}, ""),
        ({f"{REQUIRED}/gone.service": "a file"}, ""),
        ({f"{REQUIRED}/a.service": Link("../a.service"), f"{ETC}/a.service": MASKED}, ""),
        ({f"{REQUIRED}/dev-gone.device": Link("x"), f"{REQUIRED}/a.slice": Link("x")}, ""),
        ({f"{REQUIRED}/gone.service": Link("x"), "/etc/init.d/gone": "#!/bin/sh\n"}, ""),
        ({f"{REQUIRED}/gone.service": Link("x"), "/usr/lib/systemd/system-generators/netplan": ""}, ""),
        ({f"{REQUIRED}/gone.service": Link("x"), "/usr/lib/systemd/system/sysinit.target": MASKED}, "requires"),
        *(
            (needs(f"Requires={word}"), "")
            for word in ("foo", "/home", "sysinit.target, basic.target", '"gone.service"', "a;b", "@a.service")
        ),
        (needs(f"Requires={'a' * 248}.service"), ""),
        (needs(f"Requires={'a' * 247}.service"), "which is not there"),
        (needs("Requires=basic.target \\\n# gone.service\n sysinit.target"), ""),
        (needs("Requires=basic.target\\\n# none.service \\\n  ;\n gone.service"), "requires gone.service"),
        (needs("Requires=basic.target\\\n sysinit.target"), ""),
        ({**needs("Requires=foo@.service"), f"{ETC}/foo@multi-user.service": "[Service]\nExecStart=/x\n"}, ""),
        (needs("Requires=foo@.service"), "requires foo@multi-user.service, which is not there"),
        ({f"{REQUIRED}/foo@.service": Link("../foo@.service"), f"{ETC}/foo@multi-user.service": "[Service]\nExecStart=/x\n"}, ""),
        (
            {f"{REQUIRED}/a@x.service": Link("../a@.service"), f"{ETC}/a@.service": f"[Unit]\nRequires=b@.service\n{STARTS}"},
            "a@x.service requires b@x.service, which is not there",
        ),
        *(
            (needs(f"Requires={name}.mount"), "")
            for name in ("-", "usr", "usr-local", "proc-sys-fs-binfmt_misc", "home", "boot", "var-tmp")
        ),
        ({**needs("Requires=home.mount"), **GENERATORS}, "requires home.mount, which is not there"),
        ({**needs("Requires=usr.mount proc-bus.mount"), **GENERATORS}, ""),
        ({**needs("Requires=proc.mount"), **GENERATORS}, "requires proc.mount"),
        ({**needs("Requires=x.mount"), **GENERATORS, "/etc/fstab": "tmpfs /x tmpfs x-initrd.mount\n"}, ""),
        ({**needs("Requires=x.mount"), **GENERATORS, "/etc/fstab": "tmpfs /x tmpfs\n"}, "requires x.mount"),
        ({**needs("Requires=x.mount"), "/usr/lib/systemd/system/x.mount": MASKED, "/etc/fstab": "tmpfs /x tmpfs\n"}, ""),
        ({**needs("Requires=x.mount"), f"{ETC}/x.mount": MASKED, "/etc/fstab": "tmpfs /x tmpfs\n"}, "x.mount, which is masked"),
        ({**needs("Requires=gone.service"), "/etc/init.d/gone.sh": "#!/bin/sh\n"}, ""),
        ({**needs("Requires=gone.service"), "/etc/rc.d/init.d/x": "#!/bin/sh\n# Provides: a gone\n"}, ""),
        ({**needs("Requires=gone.service"), "/etc/init.d/x": "#!/bin/sh\n# Required-Start: gone\n"}, "gone.service"),
        ({**needs("Requisite=a.target"), f"{ETC}/a.target": "[Unit]\nRequires=gone.service\n"}, ""),
        (needs("Requires=gone.service\nRequires="), "gone.service"),
        (
            {"/etc/fstab": "tmpfs /x tmpfs x-systemd.required-by=multi-user.target,x-systemd.requires=gone.service\n"},
            "x.mount requires gone",
        ),
        ({"/etc/fstab": "tmpfs /x tmpfs x-systemd.requires=gone.service\n"}, ""),
        (
            {
                **needs("Requires=c.service"),
                f"{ETC}/sysinit.target.d/a.conf": "[Unit]\nWants=c.service\n",
                f"{ETC}/c.service": f"[Unit]\nDefaultDependencies=no\nRequires=gone.service\n{STARTS}",
            },
            "",
        ),
        (
            {
                **needs("Requires=c.service\nWants=c.service"),
                f"{ETC}/c.service": f"[Unit]\nRequires=gone.service\n{STARTS}",
            },
            "c.service requires gone",
        ),
        (
            {**needs("RequiresMountsFor=/x/y"), "/etc/fstab": "tmpfs /x tmpfs x-systemd.requires=gone.service,noauto\n"},
            "x.mount requires gone",
        ),
        (
            {
                **needs("RequiresMountsFor=/x"),
                "/etc/fstab": "tmpfs /x tmpfs noauto\n",
                f"{ETC}/x.mount.d/a.conf": "[Unit]\nBindsTo=gone.service\n",
            },
            "x.mount requires gone.service",
        ),
        ({f"{ETC}/default.target": MASKED, f"{ETC}/rescue.target": MASKED}, "anything: rescue.target is masked"),
        (
            {
                "/usr/lib/systemd/system/rescue.target": "[Unit]\n",
                f"{ETC}/default.target": Link("multi-user.target"),
                **menu("systemd.mask=multi-user.target"),
            },
            "",
        ),
    ],
)
def test_a_requirement_that_cannot_be_loaded(files: Files, why: str) -> None:
    """Each was seen in a container, but for those with generators and scripts: tests/facts/systemd/cells.py."""
    found = fact(BootEnd, {**SYSTEMD, **WHOLE, **files}).shell
    assert why in found
    assert bool(found) is bool(why)


def test_a_mask_on_the_command_line_is_said_there() -> None:
    found = fact(BootEnd, {**SYSTEMD, **WHOLE, **menu("systemd.mask=sysinit.target")})
    assert "sysinit.target, which is masked" in found.shell
    assert isinstance(found.where, Span)
    assert (found.where.path, found.where.line) == ("/boot/grub/grub.cfg", 2)
