"""Reports to render: a rich and realistic one, one whose guest is hostile, and small ones."""

from __future__ import annotations

import dataclasses

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.finding import Finding, Mover, Severity, Stage, Unknown
from v2vlint.model.fix import AppendInitramfs, Applicability, Fix, Rebuild, RegistrySet, ReplaceText
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import Device, RegistryKey, Span, Where, WholeFile
from v2vlint.model.registry import sz
from v2vlint.model.report import (
    Excerpt,
    Fate,
    FindingReport,
    Forecast,
    ImageReport,
    Problem,
    Report,
    RootReport,
    RuleResult,
    StageForecast,
    Status,
    TargetReport,
)
from v2vlint.model.rule import Audience, RuleInfo

GIB = 1 << 30
HOSTILE = (
    "\x1b[2J\x1b]0;owned\x07</script><img src=x onerror=\"document.title='owned'\">\n::error::owned %0A##[add-mask]x"
    "]]> [red]\u202egpj\udcff\x00|`@root"
)

_HELP = """{title}

## What it does
Finds entries of `{file}` that depend on the hardware of the source.

## Why it matters
The name follows the disk controller. Behind another controller the device does not exist: systemd waits 90 seconds for it, then
stops in emergency mode unless the entry has `nofail`.

- `/dev/sda1` becomes `/dev/vda1`
- `/dev/disk/by-path/…` disappears

## Fix safety
Safe: the UUID is read from the very filesystem the entry names.

## References
- fstab(5), systemd.mount(5)
"""


def info(rule: str, group: str, title: str, severity: Severity, file: str = "/etc/fstab", *, fixable: bool = False) -> RuleInfo:
    """A rule's description."""
    text = _HELP.format(title=title, file=file)
    return RuleInfo(rule, group, title, severity, Audience.DEFAULT, fixable, "0.1", "v2vlint", text, ("Fstab",))


RULES = (
    info("cloud-init-missing", "environment", "No cloud-init on a cloud target.", Severity.WARNING, "/etc/cloud"),
    info("fstab-by-path", "storage", "An fstab entry names a disk by its place on a bus.", Severity.ERROR, fixable=True),
    info("initramfs-root-driver", "drivers", "The initramfs cannot reach the root disk.", Severity.ERROR, "/boot", fixable=True),
    info("machine-id-baked-in", "identity", "The machine id is part of the image.", Severity.WARNING, "/etc/machine-id"),
    info("nic-name-pinned", "network", "A network card is pinned to a MAC address.", Severity.WARNING, "/etc/udev/rules.d", fixable=True),
    info("swap-device-name", "storage", "Swap names a disk by the kernel's name.", Severity.WARNING, fixable=True),
    info("vmware-tools", "leftovers", "VMware's guest tools are left over.", Severity.INFO, "/usr/bin/vmtoolsd"),
    info("windows-storage-driver", "windows", "The storage driver does not start at boot.", Severity.ERROR, "SYSTEM"),
    info("xorg-driver-fixed", "display", "The X driver is fixed.", Severity.WARNING, "/etc/X11/xorg.conf"),
)

_FSTAB = (
    "# /etc/fstab: created by anaconda",
    "/dev/mapper/rl-root                        /      xfs   defaults  0 0",
    "UUID=1c7e02a3-1f9b-4c2e-9a3c-2f9f6a5d8c11  /boot  xfs   defaults  0 0",
    "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1  /srv/data  xfs  defaults  0 0",
    "/dev/sda3                                  none   swap  defaults  0 0",
)
_PATH = "/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1"
_START = sum(len(line) + 1 for line in _FSTAB[:3])
_SPEC = Span("/etc/fstab", _START, _START + len(_PATH), 4, 1)
_UUID = "UUID=7b1f0d52-6a0e-4d2a-8f5a-c0ffee15900d"
_DIFF = f"""--- a/etc/fstab
+++ b/etc/fstab
@@ -1,5 +1,5 @@
 {_FSTAB[0]}
 {_FSTAB[1]}
 {_FSTAB[2]}
-{_FSTAB[3]}
+{_FSTAB[3].replace(_PATH, _UUID)}
 {_FSTAB[4]}
"""


def span(path: str, line: int, column: int = 1, length: int = 1) -> Span:
    """A place on one line; its offset only has to be different for different lines."""
    return Span(path, line * 100 + column, line * 100 + column + length, line, column)


def excerpt(where: Span, *lines: str, first: int = 0) -> Excerpt:
    """Lines around a place."""
    return Excerpt(where.path, first or where.line, lines)


def failing(finding: Finding, fingerprint: str, **more: object) -> RuleResult:
    """The result of a rule with one finding."""
    report = dataclasses.replace(FindingReport(finding, fingerprint), **more)  # type: ignore[arg-type]
    status = Status.EXCEPTED if report.exception else Status.FAIL
    return RuleResult(finding.rule, status, (report,), reason=report.exception)


def unsure(rule: str, where: Where, reason: str, *, crashed: bool = False) -> RuleResult:
    """A rule that could not tell."""
    return RuleResult(rule, Status.UNKNOWN, unknowns=(Unknown(rule, where, reason),), reason=reason, crashed=crashed)


def _by_path() -> RuleResult:
    fix = Fix("mount /srv/data by UUID", Applicability.SAFE, (ReplaceText(_SPEC, _PATH, _UUID),))
    message = f"/srv/data is mounted from {_PATH}, gone behind another controller"
    finding = Finding(
        "fstab-by-path", Severity.ERROR, _SPEC, message, "systemd waits 90 s for the device, then stops in emergency mode", fix,
        (Device("disk2p1"),), Stage.MOUNTS,
    )  # fmt: skip
    return failing(finding, "8c1f6a0b3d5e7f90", excerpt=Excerpt("/etc/fstab", 2, _FSTAB[1:]), diff=_DIFF)


def _initramfs(modules: tuple[str, ...], bus: str) -> RuleResult:
    image, version = "/boot/initramfs-5.14.0-427.13.1.el9_4.x86_64.img", "5.14.0-427.13.1.el9_4.x86_64"
    fix = Fix(
        f"add {', '.join(modules)} to the initramfs", Applicability.SAFE, (AppendInitramfs(image, version, modules), Rebuild("grub.cfg"))
    )
    finding = Finding(
        "initramfs-root-driver", Severity.ERROR, WholeFile(image), f"{image} has no {modules[0]}, and the root disk is on {bus}",
        "dracut waits three minutes for /dev/mapper/rl-root, then drops to its emergency shell", fix,
        (WholeFile(f"/lib/modules/{version}/modules.dep"),), Stage.INITRAMFS,
    )  # fmt: skip
    return failing(finding, f"1f{modules[0]:0<14.14}")


def _nic() -> RuleResult:
    where = span("/etc/udev/rules.d/70-persistent-net.rules", 2, 50, 17)
    lines = (
        "# PCI device 0x15ad:0x07b0 (vmxnet3)",
        'SUBSYSTEM=="net", ACTION=="add", ATTR{address}=="00:50:56:be:17:2a", NAME="eth0"',
    )
    fix = Fix("drop the pinned name", Applicability.UNSAFE, (ReplaceText(where, "00:50:56:be:17:2a", ""),))
    finding = Finding(
        "nic-name-pinned", Severity.WARNING, where, "eth0 is pinned to the MAC address 00:50:56:be:17:2a, which does not travel",
        "the card comes up as ens3, and the static address of eth0 is not set", fix,
        (WholeFile("/etc/sysconfig/network-scripts/ifcfg-eth0"),),
    )  # fmt: skip
    diff = f"--- a{where.path}\n+++ /dev/null\n@@ -1,2 +0,0 @@\n" + "".join(f"-{line}\n" for line in lines)
    return failing(finding, "77aa00bb11cc22dd", excerpt=excerpt(where, *lines, first=1), diff=diff)


def _swap() -> RuleResult:
    where = span("/etc/fstab", 5, 1, 9)
    finding = Finding("swap-device-name", Severity.WARNING, where, "swap is on /dev/sda3, a name that changes with the disk controller",
                      "boot waits 90 s for it and continues without it")  # fmt: skip
    return failing(finding, "5ab0000000000001", excerpt=excerpt(where, *_FSTAB[2:], first=3), baselined=True)


def _tools() -> RuleResult:
    finding = Finding("vmware-tools", Severity.INFO, WholeFile("/usr/bin/vmtoolsd"), "open-vm-tools 12.3.5 is installed",
                      "it stays idle on other hypervisors")  # fmt: skip
    return failing(finding, "0123456789abcdef")


def _machine_id() -> RuleResult:
    where = span("/etc/machine-id", 1, 1, 32)
    finding = Finding("machine-id-baked-in", Severity.WARNING, where, "the machine id is 4d1e…b7, the same for every copy",
                      "clones get the same DHCP lease")  # fmt: skip
    return failing(finding, "feedfacefeedface", exception="one-off move, never cloned (OPS-1181, until 2027-01-31)")


def _stages(*fates: tuple[Stage, Fate, str] | tuple[Stage, Fate, str, Where, str]) -> tuple[StageForecast, ...]:
    return tuple(StageForecast(*fate) for fate in fates)


_EARLY: tuple[tuple[Stage, Fate, str], ...] = (
    (Stage.FIRMWARE, Fate.PASS, "UEFI loads \\EFI\\BOOT\\BOOTX64.EFI from disk1p1"),
    (Stage.LOADER, Fate.PASS, "shim 15.8, then GRUB 2.06 with /boot/grub2/grub.cfg"),
    (Stage.ENTRY, Fate.PASS, "saved_entry names Rocky Linux (5.14.0-427.13.1.el9_4.x86_64) 9.4"),
    (Stage.KERNEL, Fate.PASS, "/boot/vmlinuz-5.14.0-427.13.1.el9_4.x86_64 is whole"),
)
_LATE = (Stage.ROOT, Stage.UNLOCK, Stage.USERLAND, Stage.MOUNTS, Stage.NETWORK, Stage.CONSOLE)


def _stopped() -> Forecast:
    image = WholeFile("/boot/initramfs-5.14.0-427.13.1.el9_4.x86_64.img")
    broken = (Stage.INITRAMFS, Fate.FAIL, "no virtio_blk in the initramfs: the root disk is never found", image, "initramfs-root-driver")
    skipped = tuple((stage, Fate.SKIPPED, "not reached") for stage in _LATE)
    way_back = "the rescue entry has every driver: choose “Rocky Linux (0-rescue)” in GRUB's menu"
    return Forecast(Fate.FAIL, _stages(*_EARLY, broken, *skipped), way_back)


def _unsure() -> Forecast:
    return Forecast(Fate.UNKNOWN, _stages(
        *_EARLY,
        (Stage.INITRAMFS, Fate.PASS, "hv_storvsc, sd_mod, dm_mod and xfs are in it"),
        (Stage.ROOT, Fate.PASS, "root=/dev/mapper/rl-root is found by LVM"),
        (Stage.UNLOCK, Fate.SKIPPED, "nothing is encrypted"),
        (Stage.USERLAND, Fate.PASS, "needs x86-64-v2, the target has v3"),
        (Stage.MOUNTS, Fate.UNKNOWN, "the second disk was not given", Device("disk2"), "fstab-by-path"),
        (Stage.NETWORK, Fate.PASS, "DHCP on any card"),
        (Stage.CONSOLE, Fate.PASS, "console=ttyS0"),
    ))  # fmt: skip


def _boots() -> Forecast:
    reasons = ("UEFI or BIOS", "GRUB 2.06", "the only entry", "whole", "virtio_blk and ext4", "by UUID", "nothing is encrypted",
               "x86-64-v1", "all by UUID", "netplan, DHCP by name en*", "tty1 and ttyS0")  # fmt: skip
    return Forecast(Fate.PASS, _stages(*((stage, Fate.PASS, reason) for stage, reason in zip(Stage, reasons, strict=True))))


def _passes(*rules: str) -> tuple[RuleResult, ...]:
    return tuple(RuleResult(rule, Status.PASS) for rule in rules)


def _rocky() -> ImageReport:
    system = OsInfo("linux", "rocky", "rhel", "Rocky Linux", "9.4", "x86_64", "web01.example.net")
    cannot = RuleResult("windows-storage-driver", Status.NOT_APPLICABLE, reason="not a Windows guest")
    shared = (_by_path(), _nic(), _swap(), _tools(), _machine_id(), cannot)
    kvm = TargetReport("kvm", Mover.RAW, (*shared, _initramfs(("virtio_blk", "virtio_pci"), "virtio-blk"),
                       RuleResult("cloud-init-missing", Status.NOT_APPLICABLE, reason="kvm is not a cloud"),
                       *_passes("xorg-driver-fixed")), _stopped())  # fmt: skip
    reason = "the conffile is longer than 1 MiB"
    azure = TargetReport("azure", Mover.RAW, (*shared, *_passes("initramfs-root-driver", "cloud-init-missing"),
                         unsure("xorg-driver-fixed", WholeFile("/etc/X11/xorg.conf"), reason)), _unsure())  # fmt: skip
    glance = (
        ("kernel", "5.14.0-427.13.1.el9_4.x86_64"), ("boot loader", "GRUB 2.06, UEFI, shim 15.8"), ("init", "systemd 252"),
        ("filesystems", "xfs on LVM, vfat"), ("network", "NetworkManager, 1 interface, static"), ("packages", "612"),
    )  # fmt: skip
    root = RootReport("rl/root", system, glance, (kvm, azure))
    blocks = (
        BlockDevice("disk1", "disk", 40 * GIB, 0),
        BlockDevice("disk1p1", "partition", GIB // 2, 0, 1, "vfat", "77AC-1D0F", "EFI", bootable=True, parents=("disk1",)),
        BlockDevice("disk1p2", "partition", GIB, 0, 2, "xfs", "1c7e02a3-1f9b-4c2e-9a3c-2f9f6a5d8c11", parents=("disk1",)),
        BlockDevice("disk1p3", "partition", 38 * GIB, 0, 3, "LVM2_member", "hWv3-x", parents=("disk1",)),
        BlockDevice("rl/root", "lv", 34 * GIB, 0, 0, "xfs", "9d0c", parents=("disk1p3",)),
        BlockDevice("rl/swap", "lv", 4 * GIB, 0, 0, "swap", "9d0d", parents=("disk1p3",)),
        BlockDevice("disk2", "disk", 100 * GIB, 1, problem="not given"),
    )
    return ImageReport(
        "images/web.qcow2", ("images/web.qcow2",), "qcow2", 3 * GIB, blocks, (root,), seconds=1.31, recipe="packer/web.pkr.hcl"
    )


def _debian() -> ImageReport:
    system = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64", "db01")
    results = _passes(*(rule.id for rule in RULES if rule.group != "windows"))
    root = RootReport("disk1p1", system, (("kernel", "6.1.0-25-amd64"), ("boot loader", "GRUB 2.06, BIOS")),
                      (TargetReport("kvm", Mover.RAW, results, _boots()),))  # fmt: skip
    blocks = (BlockDevice("disk1", "disk", 20 * GIB, 0),
              BlockDevice("disk1p1", "partition", 20 * GIB, 0, 1, "ext4", "0f3c", parents=("disk1",)),
              BlockDevice("disk2", "disk", 8 * GIB, 1, 0, "ext4", "0f3d", "pgdata"))  # fmt: skip
    return ImageReport("db01.vmdk+data.vmdk", ("db01.vmdk", "data.vmdk"), "vmdk", 28 * GIB, blocks, (root,), seconds=0.8)


def _windows() -> ImageReport:
    system = OsInfo("windows", "windows", "windows", "Windows Server 2019 Standard", "10.0.17763", "x86_64", "DC7")
    crash = "rule windows-storage-driver failed: KeyError: 'Select'"
    results = (unsure("windows-storage-driver", WholeFile("/Windows/System32/config/SYSTEM"), crash, crashed=True),)
    root = RootReport("disk1p2", system, (("build", "17763.5329"),), (TargetReport("kvm", Mover.RAW, results),))
    problem = Problem("disk1p3", "BitLocker, and no key was given", "give the recovery key with --key disk1p3:file:FILE")
    return ImageReport("dc7.vhdx", ("dc7.vhdx",), "vhdx", 60 * GIB, (), (root,), (problem,), seconds=2.0)


def _broken() -> ImageReport:
    problem = Problem(
        "old.qcow2", "extended L2 entries are not supported", "convert it first: qemu-img convert -O qcow2 -o extended_l2=off …"
    )
    return ImageReport("old.qcow2", ("old.qcow2",), "qcow2", 196_616, (), (), (problem,))


def rich() -> Report:
    """Four guests and two targets, with every fate, status and severity."""
    images = (_rocky(), _debian(), _windows(), _broken())
    return Report("0.1.0", ("kvm", "azure"), Mover.RAW, images, RULES, Severity.ERROR, False, 4.2)


def clean() -> Report:
    """One guest that will boot."""
    return Report("0.1.0", ("kvm",), Mover.RAW, (_debian(),), RULES, Severity.ERROR, False, 0.8)


def empty() -> Report:
    """A run over nothing."""
    return Report("0.1.0", ("kvm",), Mover.RAW, (), RULES)


def only(*results: RuleResult, image: str = "a.qcow2", recipe: str = "", strict: bool = False) -> Report:
    """One Debian guest judged for kvm with these results."""
    system = OsInfo("linux", "debian", "debian", "Debian GNU/Linux", "12", "x86_64", "a")
    root = RootReport("disk1p1", system, (), (TargetReport("kvm", Mover.RAW, results),))
    machine = (TargetReport("kvm", Mover.RAW, ()),)
    guest = ImageReport(image, (image,), "qcow2", GIB, (), (root,), recipe=recipe, machine=machine)
    return Report("0.1.0", ("kvm",), Mover.RAW, (guest,), RULES, strict=strict)


def warning(number: int, severity: Severity = Severity.WARNING) -> RuleResult:
    """A plain finding, different for each number."""
    where = span("/etc/fstab", number + 1)
    return failing(Finding("swap-device-name", severity, where, f"finding {number}", "boot is slow"), f"{number:016x}")


def hostile(text: str = HOSTILE) -> Report:
    """Every string a guest or a file name can influence is ``text``."""
    where = Span(f"/etc/{text}", 10, 20, 3, 5)
    edit = ReplaceText(where, text, text)
    fix = Fix(text, Applicability.SAFE, (edit, AppendInitramfs(text, text, (text,)), RegistrySet(text, text, text, sz(text), sz(text))))
    places = (WholeFile(text), Device(text, text), RegistryKey(text, text, text))
    finding = Finding("fstab-by-path", Severity.ERROR, where, text, text, fix, places, Stage.MOUNTS)
    lines = tuple(text.split("\n"))
    diff = "".join(f"-{line}\n+{line}\n" for line in lines)
    bad = failing(finding, "8c1f6a0b3d5e7f90", excerpt=Excerpt(where.path, 2, (*lines, *lines)), diff=f"--- a{text}\n+++ b{text}\n{diff}")
    excepted = failing(dataclasses.replace(finding, rule="nic-name-pinned"), "a" * 16, exception=text)
    results = (bad, excepted, unsure("swap-device-name", where, text), RuleResult("vmware-tools", Status.NOT_APPLICABLE, reason=text))
    stages = tuple(StageForecast(stage, fate, text, where, text) for stage, fate in zip(Stage, (*Fate, *Fate, *Fate), strict=False))
    target = TargetReport("kvm", Mover.RAW, results, Forecast(Fate.FAIL, stages, text))
    system = OsInfo("linux", text, text, text, text, text, text)
    root = RootReport(text, system, ((text, text),), (target,))
    blocks = (
        BlockDevice("disk1", "disk", GIB, 0),
        BlockDevice(text, "partition", GIB, 0, 1, text, text, text, parents=("disk1",), problem=text),
    )
    image = ImageReport(f"images/{text}.qcow2", (text,), text, GIB, blocks, (root,), (Problem(text, text, text),))
    return Report("0.1.0", ("kvm",), Mover.RAW, (image,), RULES, Severity.ERROR, False, 0.1)
