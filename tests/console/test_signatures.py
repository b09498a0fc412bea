"""The table of messages is its own test: every message finds its lines, and nothing that a healthy guest prints."""

from __future__ import annotations

import re

import pytest

from v2vlint.console.signatures import MILESTONES, Signature, marks, signatures
from v2vlint.engine.packs import load_all
from v2vlint.model.finding import Severity, Stage

ALL = signatures()
LINES = [(one, line) for one in ALL for line in one.lines]

# As printed by guests that came up: GRUB, Debian 12, RHEL 9, Windows on Google's platform.
HEALTHY = """\
Booting from Hard Disk...
GRUB loading.
Welcome to GRUB!
Loading Linux 6.1.0-56-amd64 ...
Loading initial ramdisk ...
Decompressing Linux... Parsing ELF... done.
[    0.000000] Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0)
[    0.000000] Command line: BOOT_IMAGE=/boot/vmlinuz-6.1.0-56-amd64 root=UUID=0a1b ro panic=1 oops=panic
[    0.004000] Memory: 2012340K/2096628K available (14342K kernel code, 2332K rwdata, 9056K rodata)
[    0.100000] rcu: Hierarchical RCU implementation.
[    0.200000] NMI watchdog: Enabled. Permanently consumes one hw-PMU counter.
[    0.300000] x86/split lock detection: #AC: crashing the kernel on kernel split_locks and warning on user-space split_locks
[    0.400000] GPT:Primary header thinks Alt. header is not at the end of the disk.
[    0.500000] sd 0:0:0:0: [sda] Attached SCSI disk
[    0.600000] md: raid1 personality registered for level 1
[    0.650000] SELinux:  Initializing.
[    0.660000] SELinux:  policy capability network_peer_controls=1
Loading, please wait...
Begin: Waiting for root file system ... done.
Begin: Will now check root file system ... fsck from util-linux 2.38.1
/dev/sda1: clean, 31022/131072 files, 312012/524288 blocks
cryptsetup: sda3_crypt: set up successfully
[    1.900000] EXT4-fs (sda1): mounted filesystem with ordered data mode. Quota mode: none.
[    2.000000] EXT4-fs (sda1): re-mounted. Quota mode: none.
[    2.100000] systemd[1]: Inserted module 'autofs4'
Welcome to Debian GNU/Linux 12 (bookworm)!
[  OK  ] Started systemd-networkd.service - Network Configuration.
[  OK  ] Finished systemd-cryptsetup@luks.service - Cryptography Setup for luks.
[  OK  ] Found device dev-mapper-vg0\\x2ddata.device - /dev/mapper/vg0-data.
[***   ] A start job is running for /dev/disk/by-uuid/99 (12s / 1min 30s)
[  OK  ] Reached target local-fs.target - Local File Systems.
[FAILED] Failed to start apt-daily.service - Daily apt download activities.
[  OK  ] Started ssh.service - OpenBSD Secure Shell server.
[   12.300000] cloud-init[612]: Cloud-init v. 22.4.2 finished at Sun, 29 Nov 2026 18:00:00 +0000. Datasource DataSourceGCE.
google_metadata_script_runner[812]: startup-script exit status 0
guest login:
UEFI firmware (version edk2-stable202402 built at 10:00:00 on Feb 1 2024)
BdsDxe: loading Boot0003 "Windows Boot Manager" from HD(2,GPT,0A1B)/\\EFI\\Microsoft\\Boot\\bootmgfw.efi
BdsDxe: starting Boot0003 "Windows Boot Manager" from HD(2,GPT,0A1B)/\\EFI\\Microsoft\\Boot\\bootmgfw.efi
GCEGuestAgent: GCE Agent Started (version 20240528.00)
GCEGuestAgent: ERROR Status: Offline, failed to find route
"""


@pytest.mark.parametrize(("message", "line"), LINES, ids=[f"{one.name}-{number}" for number, (one, _line) in enumerate(LINES)])
def test_every_line_is_found(message: Signature, line: str) -> None:
    if message.stage is not None:
        assert message.explain(line) is not None
    assert message.in_text(line)


@pytest.mark.parametrize("line", HEALTHY.splitlines())
def test_no_healthy_line_is_a_message(line: str) -> None:
    assert [one.name for one in ALL if one.stage is not None and one.explain(line) is not None] == []


def test_the_table_is_whole() -> None:
    assert len({one.name for one in ALL}) == len(ALL)
    for one in ALL:
        assert one.lines, one.name
        assert re.search(one.pattern, "") is None, one.name
        assert all(text.endswith(".") for text in (one.topic.meaning, one.topic.advice, one.topic.here)), one.name
        assert one.reason or one.stage is None, one.name
        assert not (one.trouble and (one.stops or one.waits)), one.name
    assert {mark.milestone for mark in marks()} == {name for name, _stage in MILESTONES}


def test_what_the_table_says_about_rules_is_true() -> None:
    rules = {loaded.id for loaded in load_all()}
    named = {word for one in ALL for word in re.findall(r"\b[a-z0-9]+(?:-[a-z0-9]+)+\b", one.topic.here)}
    assert {word for word in named if word.split("-")[0] in {rule.split("-")[0] for rule in rules}} <= rules | {"cloud-init"}
    groups = {word for one in ALL for word in re.findall(r"group '(\w+)'", one.topic.here)}
    assert groups <= {loaded.group for loaded in load_all()}
    stages = {
        word
        for one in ALL
        for words in re.findall(r"stages? ((?:'\w+'(?:, | and )?)+)", one.topic.here)
        for word in re.findall(r"\w+", words)
    }
    assert stages - {"and"} <= {str(stage) for stage in Stage}


# The kinds of trouble that GoogleCloudPlatform/gce-rescue tells apart, each with lines that the table must place at the stage.
KINDS = {
    "firmware": (("No bootable device.", Stage.FIRMWARE), ("Boot failed: could not read the boot disk", Stage.FIRMWARE)),
    "grub": (
        ("error: no such partition.", Stage.LOADER),
        ("error: file `/initrd.img-6.1' not found.", Stage.ENTRY),
        ("grub rescue> ", Stage.LOADER),
    ),
    "kernel": (
        ("Kernel panic - not syncing: NMI: Not continuing", Stage.KERNEL),
        ("Kernel panic - not syncing: Attempted to kill init!", Stage.USERLAND),
    ),
    "initramfs": (
        ("dracut: FATAL: No or empty root= argument", Stage.ROOT),
        ('VFS: Cannot open root device "sda1" or unknown-block(0,0)', Stage.ROOT),
    ),
    "switchroot": (
        ("Target filesystem doesn't have requested /sbin/init.", Stage.USERLAND),
        ("/sbin/init: error while loading shared libraries: libc.so.6: x", Stage.USERLAND),
    ),
    "systemd": (
        ("systemd[1]: Freezing execution.", Stage.USERLAND),
        ("Cannot open access to console, the root account is locked.", Stage.MOUNTS),
    ),
    "fstab": (
        ("mount: /data: special device /dev/sdb1 does not exist.", Stage.MOUNTS),
        ("/dev/sda1: UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY.", Stage.MOUNTS),
    ),
    "filesystem": (
        ("EXT4-fs (sdb1): VFS: Can't find ext4 filesystem", Stage.MOUNTS),
        ("XFS (dm-0): Metadata corruption detected at xfs_dir3", Stage.MOUNTS),
    ),
    "readonly": (
        ("EXT4-fs (dm-0): Remounting filesystem read-only", Stage.CONSOLE),
        ("I/O error, dev sda, sector 4096 op 0x1:(WRITE)", Stage.ROOT),
    ),
    "lvm": (('  Volume group "rhel" not found', Stage.ROOT), ("Warning: /dev/mapper/rhel-root does not exist", Stage.ROOT)),
    "raid": (
        ("md/raid10:md0: not enough operational mirrors.", Stage.ROOT),
        ("mdadm: failed to run array /dev/md0: Input/output error", Stage.ROOT),
    ),
    "crypt": (
        ("Please enter passphrase for disk VBOX HARDDISK (luks-0a):", Stage.UNLOCK),
        ("Failed to start Cryptography Setup for luks-0a.", Stage.UNLOCK),
    ),
    "selinux": (
        ("Failed to load SELinux policy. Freezing.", Stage.USERLAND),
        ("*** Warning -- SELinux mls policy relabel is required.", Stage.USERLAND),
    ),
    "machine id": (("Failed to open /etc/machine-id: No such file or directory", Stage.USERLAND),),
    "cpu lockup": (
        ("watchdog: BUG: soft lockup - CPU#3 stuck for 26s!", Stage.KERNEL),
        ("rcu_sched self-detected stall on CPU", Stage.KERNEL),
    ),
    "oom": (("Out of memory: Kill process 91 (java) score 900 or sacrifice child", Stage.CONSOLE),),
    "disk full": (("cp: error writing '/x': No space left on device", Stage.CONSOLE),),
    "network": (
        ("Failed to start systemd-networkd.service - Network Configuration.", Stage.NETWORK),
        ("No DHCPOFFERS received.", Stage.NETWORK),
    ),
    "ssh": (("/etc/ssh/sshd_config line 3: Bad configuration option: PermitRoot", Stage.NETWORK),),
    "cloud-init": (("cloud-init[500]: Traceback (most recent call last):", Stage.NETWORK),),
    "startup script": (("google_metadata_script_runner: startup-script-url exit status 2", Stage.CONSOLE),),
    "windows boot manager": (("Status: 0xc000000f", Stage.ENTRY), ("BOOTMGR is missing", Stage.LOADER)),
    "windows bugcheck": (("*** STOP: 0x0000007B (0x1, 0x2)", Stage.ROOT), ("*** STOP: 0x000000D1 (0x1, 0x2)", Stage.KERNEL)),
    "windows recovery": (("Preparing Automatic Repair", Stage.USERLAND), ("Undoing changes made to your computer", Stage.USERLAND)),
}


def test_a_terminal_that_a_login_waits_for_is_no_mount() -> None:
    waits = next(one for one in ALL if one.name == "systemd/device-expected")
    assert waits.explain("         Expecting device dev-sdb1.device - /dev/sdb1...") is not None
    assert waits.explain("         Expecting device dev-ttyS0.device - /dev/ttyS0...") is None


@pytest.mark.parametrize(("line", "stage"), [pair for pairs in KINDS.values() for pair in pairs])
def test_kinds_of_trouble(line: str, stage: Stage) -> None:
    assert next((one.stage for one in ALL if one.stage and one.explain(line) is not None), None) is stage


def test_severities_of_troubles() -> None:
    assert {one.trouble for one in ALL} == {None, *Severity}
