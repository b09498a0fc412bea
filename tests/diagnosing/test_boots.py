"""Which boot of a log is diagnosed, and what is said about it."""

from __future__ import annotations

import pytest

from v2vlint.diagnosing.boots import boots_in, diagnose
from v2vlint.model.diagnosis import Diagnosis
from v2vlint.model.finding import Severity, Stage

FIRMWARE = ["SeaBIOS (version 1.16.2-debian)", "Booting from Hard Disk...", "GRUB loading.", "Welcome to GRUB!"]
LINUX = ["[    0.000000] Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org)", "[    7.255865] Run /init as init process"]
ROOT = ["[   15.008291] EXT4-fs (vda1): mounted filesystem with ordered data mode. Quota mode: none."]
UP = [*FIRMWARE, *LINUX, *ROOT, "Welcome to Debian GNU/Linux 12 (bookworm)!", "guest login: "]
NO_ROOT = [*FIRMWARE, *LINUX, "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!", "(initramfs) "]
PANIC = [*FIRMWARE, *LINUX, "[   10.0] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"]


def told(*lines: str) -> Diagnosis:
    """The diagnosis of these lines."""
    return diagnose("log", enumerate(lines, 1), lambda line: ("a-rule",) if "does not exist" in line else ())


def test_the_last_boot_that_says_how_it_ended_counts() -> None:
    found = told(*UP, *NO_ROOT)
    assert (found.boots, found.boot, found.came_up, found.stage) == (2, 2, False, Stage.ROOT)
    assert found.decisive
    assert (found.decisive.line, found.decisive.rules) == (len(UP) + 7, ("a-rule",))
    assert (told(*NO_ROOT, *UP).boot, told(*NO_ROOT, *UP).came_up) == (2, True)
    begun = told(*PANIC, *PANIC, *FIRMWARE)
    assert (begun.boots, begun.boot, begun.stage) == (3, 2, Stage.ROOT)


def test_a_kernel_alone_begins_a_boot() -> None:
    assert told(*LINUX, *LINUX, *LINUX).boots == 3
    assert told(*FIRMWARE, "Booting from Hard Disk...", *LINUX).boots == 1


def test_a_crash_after_login_is_told() -> None:
    found = told(*UP, "[  99.0] Kernel panic - not syncing: Fatal Machine check")
    assert (found.came_up, found.failed, found.reason) == (
        False,
        True,
        "it came up, and later the kernel stopped because the hardware reported an error: Fatal Machine check",
    )


def test_troubles_do_not_stop_a_boot() -> None:
    found = told(*UP[:-1], "[FAILED] Failed to start ssh.service - OpenBSD Secure Shell server.", "guest login: ")
    assert (found.came_up, found.failed) == (True, True)
    assert [(one.name, one.line, one.severity) for one in found.also] == [("services/sshd-failed", len(UP), Severity.ERROR)]
    assert not told(*UP).failed
    warned = told(*UP, "[   99.1] Out of memory: Killed process 812 (mysqld) total-vm:2012340kB")
    assert (warned.came_up, warned.failed, [one.severity for one in warned.also]) == (True, False, [Severity.WARNING])


def test_an_end_without_a_message_is_undecided() -> None:
    found = told(*FIRMWARE, *LINUX)
    assert (found.came_up, found.decisive, found.recognised, found.failed) == (None, None, True, False)
    assert found.last[-1] == f"6: {LINUX[-1]}"
    assert not told("nothing", "of this", "is a boot").recognised


def test_a_hint_without_an_end_is_told_as_one() -> None:
    found = told(*UP[:-1], "[ TIME ] Timed out waiting for device dev-sdb1.device - /dev/sdb1.")
    assert (found.came_up, found.stage, found.failed) == (None, Stage.MOUNTS, True)
    assert "the log ends" in found.reason


WINDOWS = {
    "bcd": (["Windows failed to start. A recent hardware or software change might be the", "    Status: 0xc000000e"], Stage.ENTRY),
    "7b": (["Your PC ran into a problem and needs to restart.", "Stop code: INACCESSIBLE_BOOT_DEVICE"], Stage.ROOT),
    "repair": (["Preparing Automatic Repair"], Stage.USERLAND),
}


@pytest.mark.parametrize("case", WINDOWS)
def test_windows(case: str) -> None:
    lines, stage = WINDOWS[case]
    found = told('BdsDxe: starting Boot0003 "Windows Boot Manager" from HD(2,GPT)', *lines)
    assert (found.came_up, found.stage) == (False, stage)


@pytest.mark.parametrize(
    "stamp",
    [
        "2026-11-30T07:00:00.123456Z ",
        "2026-11-30 07:00:00,123 ",
        "[2026-11-30 07:00:00] ",
        "07:00:00.5 ",
        "2026-11-30T07:00:00Z stdout F ",
        "2026-11-30T07:00:00+01:00: ",
    ],
)
def test_what_a_logger_puts_in_front_does_not_count(stamp: str) -> None:
    found, plain = told(*(stamp + line for line in NO_ROOT)), told(*NO_ROOT)
    assert (found.stage, found.reason, found.milestones) == (plain.stage, plain.reason, plain.milestones)
    assert told(*(stamp + line for line in UP)).came_up


def test_a_journal_is_a_log_too() -> None:
    lines = (
        "kernel: Linux version 6.1",
        "kernel: [    5.1] EXT4-fs (sdb1): VFS: Can't find ext4 filesystem",
        "systemd[1]: Failed to mount /srv.",
    )
    found = told(*(f"Nov 30 07:00:00 web1 {line}" for line in lines))
    assert (found.stage, found.reason.rpartition("; ")[2]) == (Stage.MOUNTS, "there is no intact filesystem on sdb1")
    assert told("2026-11-30 07:00:00 web1 login: ").came_up


@pytest.mark.parametrize("columns", [80, 128])
def test_a_line_that_the_screen_broke_is_whole(columns: int) -> None:
    line = "ALERT!  UUID=0a1b2c3d-0000-4000-8000-000000000001 does not exist.  Dropping to a shell!"
    line = line.rjust(columns + 30, ".")
    found = told(*LINUX, line[:columns], line[columns:])
    assert (found.stage, found.reason) == (
        Stage.ROOT,
        "the initramfs waited for UUID=0a1b2c3d-0000-4000-8000-000000000001, which never appeared",
    )
    assert found.decisive
    assert found.decisive.line == 3


FULL = "[    1.000000] pci 0000:00:01.0: a line of as many columns as the screen has".ljust(80, ".")


@pytest.mark.parametrize(
    "full", [FULL, "a unit that is called like this_", "Kernel panic - not syncing: Attempted to kill init!".ljust(80)]
)
def test_a_line_as_wide_as_the_screen_is_no_part_of_the_next(full: str) -> None:
    assert told(*UP, full, *LINUX, *ROOT, "guest login: ").boots == 2
    assert told(*UP, full, LINUX[0].partition("] ")[2], *ROOT, "guest login: ").boots == 2
    found = told(*LINUX, full, "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!", "(initramfs) ")
    assert found.decisive
    if "panic" not in full:
        assert (found.decisive.line, found.decisive.text) == (4, "ALERT!  /dev/sda1 does not exist.  Dropping to a shell!")
        assert len(found.also) <= 1


def test_a_name_that_the_screen_broke_is_whole() -> None:
    line = "[ TIME ] Timed out waiting for device /dev/disk/by-uuid/0a1b2c3d-0000-4000-8000-000000000001."
    message = told(*LINUX, line[:80], line[80:]).decisive
    assert message
    assert (message.line, message.text) == (3, line)
    assert "0a1b2c3d-0000-4000-8000-000000000001" in message.reason


@pytest.mark.parametrize(
    ("screen", "name"),
    [
        (
            ("Your PC ran into a problem and needs", "to restart.", "Stop code: INACCESSIBLE_BOOT_", "DEVICE"),
            "windows/inaccessible-boot-device",
        ),
        (("Recovery", "It looks like Windows didn't load", "correctly"), "windows/automatic-repair"),
        (("Recovery", "Your PC/Device needs to be", "repaired"), "windows/failed-to-start"),
        (("FATAL: No bootable medium", "found! System halted."), "firmware/no-bootable-device"),
    ],
)
def test_a_screen_breaks_sentences(screen: tuple[str, ...], name: str) -> None:
    found = told(*screen)
    assert found.decisive
    assert found.decisive.name == name
    assert told(*screen, *["more"] * 60).decisive is None or name in ("windows/inaccessible-boot-device",)


def test_a_guest_that_restarts_again_and_again() -> None:
    relabel = [*FIRMWARE, *LINUX, *ROOT, "*** Warning -- SELinux targeted policy relabel is required."]
    assert told(*relabel * 4).reason.endswith("none of the 4 boots in the log comes up")
    assert "none of" not in told(*relabel * 2).reason
    assert told(*relabel * 3, *UP).came_up


def test_a_log_that_ends_after_the_boot_recovered() -> None:
    failed = 'BdsDxe: failed to load Boot0001 "UEFI QEMU DVD-ROM QM00003 " from PciRoot(0x0)/Pci(0x1,0x1): Not Found'
    (boot,) = boots_in(enumerate([failed, "Welcome to GRUB!", "[    0.000000] Linux version 6.1.0"], 1))
    assert (boot.outcome().came_up, boot.outcome().stage) == (None, None)
    assert boot.outcome().reason == "the log ends without a known message; the last sign is: kernel"


def test_a_screen_that_was_copied_with_its_margin() -> None:
    text = ["", "   SeaBIOS (version 1.16.2)", "   Boot failed: not a bootable disk", "", "   No bootable device."]
    found = diagnose("screen", enumerate(text, 1), lambda _line: ())
    assert (found.came_up, found.decisive and found.decisive.line) == (False, 5)
