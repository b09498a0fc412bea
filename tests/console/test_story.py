"""Verdicts from what real boots printed: the lines are excerpts of serial logs of the programs named."""

from __future__ import annotations

import pytest

from v2vlint.console.signatures import INIT, INITRAMFS, KERNEL, LOADER, LOGIN, MOUNTS, NETWORK, ROOT
from v2vlint.console.story import MAX_LINES, BootOutcome, Story
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Reached

GRUB = [
    "Booting from Hard Disk...",
    "GRUB loading.",
    "Welcome to GRUB!",
    "  Booting `Debian GNU/Linux'",
    "Loading Linux 6.1.0-56-amd64 ...",
]
LINUX = ["[    0.000000] Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org)", "[    7.255865] Run /init as init process"]
MOUNTED = ["[   15.008291] EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none."]
SYSTEMD = ["Welcome to Debian GNU/Linux 12 (bookworm)!"]
LOCAL = ["[  OK  ] Reached target local-fs.target - Local File Systems."]


def told(*lines: str) -> Story:
    """A story that heard the lines, one a second."""
    story = Story()
    for second, line in enumerate(lines):
        story.hear(line, float(second))
    return story


def names(story: Story) -> list[str]:
    """The milestones seen, in order of time."""
    return sorted(story.seen, key=lambda name: story.seen[name].at)


def test_a_boot_to_login() -> None:
    story = told(*GRUB, *LINUX, *MOUNTED, *SYSTEMD, *LOCAL, "Debian GNU/Linux 12 guest ttyS0", "guest login: ")
    assert names(story) == ["firmware", LOADER, KERNEL, INITRAMFS, ROOT, INIT, MOUNTS, LOGIN]
    assert story.login == 11
    assert story.end is None
    reached = [milestone.reached for milestone in story.milestones(BootOutcome(True, "up"), "firmware")]
    assert reached == [Reached.SEEN] * 8 + [Reached.NOT_SEEN]


def test_a_quiet_boot_implies_what_it_did_not_say() -> None:
    story = told("guest login: ")
    story.witness(NETWORK, "DHCP lease 10.0.2.15", 9.0)
    by_name = {milestone.name: milestone for milestone in story.milestones(BootOutcome(True, "up"), "kernel")}
    assert by_name["firmware"].reached is Reached.SKIPPED
    assert by_name[ROOT].reached is Reached.IMPLIED
    assert by_name[LOGIN].reached is Reached.SEEN
    assert (by_name[NETWORK].seconds, by_name[NETWORK].evidence) == (9.0, "DHCP lease 10.0.2.15")


DEBIAN_SHELL = [
    "Gave up waiting for root file system device.  Common problems:",
    " - Boot args (cat /proc/cmdline)",
    "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!",
    "(initramfs) ",
]
DRACUT_SHELL = [
    "Welcome to Debian GNU/Linux 12 (bookworm) dracut-059-4 (Initramfs)!",
    "[  OK  ] Reached target local-fs.target - Local File Systems.",
    "[  184.1] dracut-initqueue[345]: Warning: dracut-initqueue: timeout, still waiting for following initqueue hooks:",
    "[  184.2] dracut-initqueue[345]: Warning: dracut-initqueue: starting timeout scripts",
    "[  260.3] dracut-initqueue[345]: Warning: Could not boot.",
    "Warning: /dev/disk/by-uuid/0a1b does not exist",
    "Entering emergency mode. Exit the shell to continue.",
    "Press Enter for maintenance",
]
EMERGENCY = [
    "[ TIME ] Timed out waiting for device dev-disk-by\\x2duuid-99.device - /dev/disk/by-uuid/99.",
    "[DEPEND] Dependency failed for srv.mount - /srv.",
    "[DEPEND] Dependency failed for local-fs.target - Local File Systems.",
    'You are in emergency mode. After logging in, type "journalctl -xb" to view',
    "Press Enter for maintenance",
]
PANIC = "Kernel panic - not syncing: "
FAILING = {
    "initramfs-tools": ([*GRUB, *LINUX, *DEBIAN_SHELL], Stage.ROOT, "the initramfs waited for /dev/sda1, which never appeared"),
    "initramfs-tools without /usr": (
        [*GRUB, *LINUX, DEBIAN_SHELL[0].replace("root", "/usr"), *DEBIAN_SHELL[1:]],
        Stage.MOUNTS,
        "the initramfs gave up waiting for the device of /usr, which fstab names",
    ),
    "dracut": ([*GRUB, *LINUX, *DRACUT_SHELL], Stage.ROOT, "the initramfs waited for /dev/disk/by-uuid/0a1b, which never appeared"),
    "systemd": (
        [*LINUX, *MOUNTED, *SYSTEMD, *EMERGENCY],
        Stage.MOUNTS,
        "/dev/disk/by-uuid/99 never appeared, and a mount that must not fail needs it",
    ),
    "systemd with names cut short": (
        [*MOUNTED, *SYSTEMD, "[ TIME ] Timed out waiting for device …4f-948fcb807a37.", *EMERGENCY[1:]],
        Stage.MOUNTS,
        "a mount that must not fail did: /srv",
    ),
    "systemd with a locked root": (
        [*MOUNTED, *SYSTEMD, "Cannot open access to console, the root account is locked."],
        Stage.MOUNTS,
        "the guest stopped in emergency mode",
    ),
    "emergency inside an initramfs": (
        [*LINUX, "You are in emergency mode. After logging in,"],
        Stage.ROOT,
        "the guest stopped in emergency mode",
    ),
    "no initramfs": (
        [f"[    2.5] {PANIC}VFS: Unable to mount root fs on unknown-block(0,0)"],
        Stage.ROOT,
        "the kernel cannot mount the root filesystem (unknown-block(0,0))",
    ),
    "glibc": (
        [
            *MOUNTED,
            "/sbin/init: CPU ISA level is lower than required",
            f"[   10.0] {PANIC}Attempted to kill init! exitcode=0x00007f00",
        ],
        Stage.USERLAND,
        "the guest's programs need a newer CPU than the target's",
    ),
    "glibc 2.37": (
        ["Fatal glibc error: CPU does not support x86-64-v3", f"[   10.0] {PANIC}Attempted to kill init! exitcode=0x00007f00"],
        Stage.USERLAND,
        "the guest's C library needs x86-64-v3, which the target's CPU is not",
    ),
    "init dies": (
        [f"{PANIC}Attempted to kill init! exitcode=0x0000000b"],
        Stage.USERLAND,
        "init died: Attempted to kill init! exitcode=0x0000000b",
    ),
    "other panics": ([f"{PANIC}IO-APIC + timer doesn't work!"], Stage.KERNEL, "the kernel panicked: IO-APIC + timer doesn't work!"),
    "GRUB rescue": (
        ["GRUB loading.", "Welcome to GRUB!", "error: no such device: 11111111-2222.", "Entering rescue mode...", "grub rescue> "],
        Stage.LOADER,
        "GRUB says: no such device: 11111111-2222.",
    ),
    "GRUB prompt": (["Welcome to GRUB!", "grub> "], Stage.LOADER, "GRUB finds no configuration and stops at its prompt"),
    "no kernel": (
        [*GRUB, "error: file `/boot/vmlinuz-6.1' not found.", "error: you need to load the kernel first."],
        Stage.ENTRY,
        "GRUB says: file `/boot/vmlinuz-6.1' not found",
    ),
    "SeaBIOS": (["Boot failed: not a bootable disk", "No bootable device."], Stage.FIRMWARE, "the firmware found no bootable disk"),
    "OVMF": (
        [
            'BdsDxe: failed to load Boot0001 "UEFI Misc Device" from PciRoot(0x0)/Pci(0x2,0x0): Not Found',
            'BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9)',
            "Shell> ",
        ],
        Stage.FIRMWARE,
        "the firmware found nothing to boot and opened its shell",
    ),
    "mkinitcpio": (
        ["ERROR: device 'UUID=ab' not found. Skipping fsck.", "You are now being dropped into an emergency shell."],
        Stage.ROOT,
        "the initramfs waited for UUID=ab, which never appeared",
    ),
    "mkinitfs": (
        ["Mounting root failed.", "initramfs emergency recovery shell launched"],
        Stage.ROOT,
        "the initramfs could not mount the root filesystem",
    ),
    "boot sector": (["Booting from Hard Disk...", "Missing operating system."], Stage.LOADER, "the boot sector finds no operating system"),
}


@pytest.mark.parametrize("case", FAILING)
def test_failures(case: str) -> None:
    lines, stage, reason = FAILING[case]
    story = told(*lines)
    assert story.end is not None
    verdict = story.failure()
    assert (verdict.came_up, verdict.stage, verdict.reason) == (False, stage, reason)
    assert verdict.evidence
    assert all(line in [heard.strip() for heard in lines] for line in verdict.evidence)


def test_the_milestone_that_failed_is_marked() -> None:
    story = told(*FAILING["no kernel"][0])
    reached = {milestone.name: milestone.reached for milestone in story.milestones(story.failure(), "firmware")}
    assert reached[LOADER] is Reached.SEEN
    assert reached[KERNEL] is Reached.FAILED
    assert reached[INITRAMFS] is Reached.NOT_SEEN


def test_what_a_boot_got_over_explains_nothing() -> None:
    story = told("error: no such device: floppy.", *GRUB, *LINUX, *DEBIAN_SHELL)
    assert story.failure().reason == "the initramfs waited for /dev/sda1, which never appeared"
    assert "error: no such device: floppy." not in story.failure().evidence


NO_END = {
    "resume": "Gave up waiting for suspend/resume device",
    "a nofail mount": "[ TIME ] Timed out waiting for device dev-sdb1.device - /dev/sdb1.",
    "dracut waits": "dracut-initqueue[345]: Warning: dracut-initqueue: timeout, still waiting for following initqueue hooks:",
    "GRUB's optional file": "error: file `/boot/grub/i386-pc/efi_gop.mod' not found.",
    "one service without AVX2": "foo[345]: Fatal glibc error: CPU does not support x86-64-v3",
    "a job that runs": "[***   ] A start job is running for /dev/disk/by-uuid/99 (12s / 1min 30s)",
    "a manual page": "This is about emergency mode and kernel panic",
}


@pytest.mark.parametrize("line", NO_END.values(), ids=NO_END)
def test_no_end(line: str) -> None:
    assert told(*LINUX, line).end is None


NO_MARK = {
    MOUNTS: "[  OK  ] Reached target local-fs-pre.target - Preparation for Local File Systems.",
    INIT: "Welcome to Debian GNU/Linux 12 (bookworm) dracut-059-4 (Initramfs)!",
    LOGIN: "Starting login: nothing",
    LOADER: 'BdsDxe: starting Boot0002 "EFI Internal Shell" from Fv(7CB8BDC9)',
}


@pytest.mark.parametrize("milestone", NO_MARK)
def test_no_mark(milestone: str) -> None:
    assert milestone not in told(NO_MARK[milestone]).seen


def test_local_filesystems_of_an_initramfs_do_not_count() -> None:
    assert MOUNTS not in told("Welcome to Debian GNU/Linux 12 (bookworm) dracut-059-4 (Initramfs)!", *LOCAL).seen
    assert MOUNTS in told(*LINUX, "[    9.9] systemd[1]: Switching root.", *LOCAL).seen


def test_dracut_times_out_for_good_at_the_fifth_try() -> None:
    waits = [
        f"[  {334 + second}.1] dracut-initqueue[264]: Warning: dracut-initqueue: {word}"
        for second in range(6)
        for word in ("timeout, still waiting for following initqueue hooks:", "starting timeout scripts")
    ]
    assert told(*LINUX, *waits[:8]).end is None
    story = told(*LINUX, *waits)
    assert story.end == 11
    assert (story.failure().came_up, story.failure().stage, story.failure().reason) == (
        False,
        Stage.ROOT,
        "dracut timed out waiting for the root device",
    )


def test_a_passphrase_cannot_be_told() -> None:
    story = told(*LINUX, "Please unlock disk sda2_crypt: ")
    assert story.end is not None
    assert (story.failure().came_up, story.failure().stage) == (None, Stage.UNLOCK)


def test_a_flood_of_lines_is_bounded() -> None:
    story = Story()
    for number in range(MAX_LINES + 10):
        story._heard.add(number)
    story.hear("guest login: ", 1.0)
    assert story.login is None


def test_no_line_is_heard_twice() -> None:
    story = told("guest login: ", "guest login: ")
    assert story.login == 0


def test_what_the_boot_recovered_from_does_not_explain_its_end() -> None:
    failed = 'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00003 " from PciRoot(0x0)/Pci(0x1,0x1): Not Found'
    assert told(failed).explained
    assert not told(failed, *GRUB, *LINUX).explained
    assert told(failed, *GRUB, *LINUX, "/init: line 7: ALERT!  /dev/sda1 does not exist.  Dropping to a shell!").explained


def test_a_volume_group_on_a_disk_that_is_still_locked() -> None:
    lvm = ['  Volume group "vg" not found', "  Cannot process volume group vg"]
    locked = told(*GRUB, *LINUX, *lvm, "Please unlock disk vda5_crypt: ")
    assert (locked.failure().stage, locked.failure().reason) == (Stage.UNLOCK, "the guest waits for the passphrase of an encrypted disk")
    assert told(*GRUB, *LINUX, *lvm).failure().reason == "LVM does not find the volume group vg"
