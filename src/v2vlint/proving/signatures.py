"""Messages of guests, boot loaders and firmware while they boot, and when they stop.

The texts were taken from the programs that print them: SeaBIOS, OVMF, GRUB, Linux, initramfs-tools, dracut, mkinitcpio, mkinitfs, systemd,
sysvinit, glibc.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from v2vlint.model.finding import Stage

FIRMWARE = "firmware"
LOADER = "loader"
KERNEL = "kernel"
INITRAMFS = "initramfs"
ROOT = "root mounted"
INIT = "init"
MOUNTS = "local filesystems"
LOGIN = "login"
NETWORK = "network"

MILESTONES: tuple[tuple[str, Stage], ...] = (
    (FIRMWARE, Stage.FIRMWARE),
    (LOADER, Stage.LOADER),
    (KERNEL, Stage.KERNEL),
    (INITRAMFS, Stage.INITRAMFS),
    (ROOT, Stage.ROOT),
    (INIT, Stage.USERLAND),
    (MOUNTS, Stage.MOUNTS),
    (LOGIN, Stage.CONSOLE),
    (NETWORK, Stage.NETWORK),
)
_ORDER = {stage: index for index, stage in enumerate(Stage)}


@dataclass(frozen=True, slots=True)
class Mark:
    """A line that shows a milestone."""

    milestone: str
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Failure:
    """A line that shows where a boot stops, and why. ``{0}`` in ``reason`` is the pattern's first group.

    A line seen ``final`` times decides; with 0 it only explains, because the boot may still recover. ``came_up`` is the outcome it decides:
    False, or None when the guest waits for an operator.
    """

    stage: Stage
    pattern: re.Pattern[str]
    reason: str
    final: int = 1
    came_up: bool | None = False

    def explain(self, line: str) -> str | None:
        """The reason as text when ``line`` shows this failure."""
        match = self.pattern.search(line)
        return match and self.reason.format(*(group or "" for group in match.groups()))


def before(stage: Stage, other: Stage) -> bool:
    """Whether a boot passes ``stage`` before ``other``."""
    return _ORDER[stage] < _ORDER[other]


def _marks(milestone: str, *patterns: str) -> tuple[Mark, ...]:
    return tuple(Mark(milestone, re.compile(pattern)) for pattern in patterns)


def _failure(stage: Stage, pattern: str, reason: str, *, final: int = 1, came_up: bool | None = False) -> Failure:
    return Failure(stage, re.compile(pattern), reason, final, came_up)


def _hint(stage: Stage, pattern: str, reason: str) -> Failure:
    return _failure(stage, pattern, reason, final=0)


MARKS: tuple[Mark, ...] = (
    *_marks(FIRMWARE, r"^Booting from (Hard Disk|0000:7c00)", r'BdsDxe: (loading|starting) Boot\w+ "(?!EFI Internal Shell)'),
    *_marks(
        LOADER,
        r"^GRUB loading|Welcome to GRUB!|GNU GRUB +version",
        r"^ *Booting (`|a command list|')",
        r"^Loading Linux |^Loading initial ramdisk",
        r"^(SYSLINUX|EXTLINUX|ISOLINUX|LILO) ",
        r'BdsDxe: starting Boot\w+ "(?!EFI Internal Shell)',
        r"^ *Boot in \d+ s\.|Reboot Into Firmware Interface",
    ),
    *_marks(KERNEL, r"^\[ *\d+\.\d{6}\] ", r"\bLinux version \d+\.\d+", r"EFI stub: (Loaded initrd|Exiting boot services)"),
    *_marks(
        INITRAMFS,
        r"Run /init as init process",
        r"^Loading, please wait",
        r"^Begin: ",
        r"\bdracut-\d\d|dracut: dracut|\(Initramfs\)!",
        r"systemd\[1\]: Running in init(rd|ial RAM disk)",
        r"^:: running (early )?hook ",
    ),
    *_marks(
        ROOT,
        r"(Switching root|Reached target .*[Ss]witch [Rr]oot)",
        r"^Begin: Running /scripts/(local|init)-bottom",
        r"\b(EXT[234]-fs|XFS|BTRFS|F2FS-fs|EROFS)\b.*(: mounted filesystem|Ending clean mount|first mount of filesystem)",
        r"VFS: Mounted root",
    ),
    *_marks(
        INIT,
        r"^\W*Welcome to (?!GRUB|emergency)(?!.*\(Initramfs\)).+!$",
        r"^INIT: version [\d.]+ booting",
        r"OpenRC [\d.]+ is starting up",
        r"Run /sbin/init as init process",
    ),
    *_marks(
        MOUNTS,
        r"Reached target (local-fs\.target|Local File Systems)",
        r"(Mounting local filesystems\.\.\.done|Mounting local filesystems \.\.\.)",
    ),
    *_marks(LOGIN, r"^\s*[\w.-]{1,64} login:\s*($|\[)", r"^Last login: "),
    *_marks(NETWORK, r"Reached target (network-online\.target|Network is Online)"),
)

# Most specific first: of everything that was seen, the first entry here provides the reason.
FAILURES: tuple[Failure, ...] = (
    _hint(Stage.USERLAND, r"CPU ISA level is lower than required", "the guest's programs need a newer CPU than the target's"),
    _hint(Stage.USERLAND, r"CPU does not support (x86-64-v\d)", "the guest's C library needs {0}, which the target's CPU is not"),
    _failure(Stage.KERNEL, r"This kernel requires an? (\S+) CPU", "the kernel needs an {0} CPU"),
    # firmware
    _failure(Stage.FIRMWARE, r"^No bootable device", "the firmware found no bootable disk"),
    _failure(Stage.FIRMWARE, r"BdsDxe: No bootable option or device was found", "the firmware found nothing to boot"),
    _failure(Stage.FIRMWARE, r"^Shell> ", "the firmware found nothing to boot and opened its shell"),
    _failure(Stage.FIRMWARE, r">>Start (PXE|HTTP) ", "the firmware found nothing to boot on the disks and tries the network"),
    _hint(Stage.FIRMWARE, r"^Boot failed: (.+)", "the firmware says: {0}"),
    _hint(Stage.FIRMWARE, r"BdsDxe: failed to (?:load|start) Boot\w+ (.+)", "the firmware could not start {0}"),
    # boot loader
    _failure(Stage.LOADER, r"^(Missing operating system|Operating system not found)", "the boot sector finds no operating system"),
    _failure(Stage.LOADER, r"^(Error loading operating system|Invalid partition table)", "the boot sector says: {0}"),
    _failure(Stage.LOADER, r"^GRUB (Hard Disk|Read|Geom) Error", "GRUB cannot read the disk"),
    _failure(Stage.ENTRY, r"^Could not find kernel image: (.+)", "the boot loader does not find the kernel {0}"),
    _failure(Stage.ENTRY, r"No DEFAULT or UI configuration directive found", "the boot loader has no default entry"),
    _hint(Stage.LOADER, r"^error: .*(no such (?:device|partition|disk).*)", "GRUB says: {0}"),
    _hint(
        Stage.LOADER,
        r"^error: .*((?:unknown filesystem|disk `.*' not found|symbol `.*' not found|out of memory|bad shim signature).*)",
        "GRUB says: {0}",
    ),
    _hint(Stage.ENTRY, r"^error: .*(file `.*' not found)", "GRUB says: {0}"),
    _failure(Stage.ENTRY, r"you need to load the kernel first", "the boot loader could not load the kernel"),
    _failure(Stage.LOADER, r"grub rescue>|Entering rescue mode", "GRUB cannot find its own files and stops in its rescue shell"),
    _failure(Stage.LOADER, r"^grub> ", "GRUB finds no configuration and stops at its prompt"),
    # root file system
    _failure(Stage.ROOT, r"ALERT! +(.+?) does not exist", "the initramfs waited for {0}, which never appeared"),
    _failure(Stage.ROOT, r"ERROR: Failed to mount '?(\S+?)'? on real root", "the initramfs could not mount {0}"),
    _hint(Stage.ROOT, r"Warning: (/dev/\S+|.*) does not exist", "the initramfs waited for {0}, which never appeared"),
    _hint(Stage.ROOT, r"ERROR: device '(.+)' not found", "the initramfs waited for {0}, which never appeared"),
    _hint(Stage.ROOT, r"Cannot open root device \"?(.+?)\"? or", "the kernel finds no root device {0}"),
    _hint(Stage.ROOT, r"mount: mounting (\S+) on /(?:root|sysroot) failed: (.+)", "the initramfs could not mount {0}: {1}"),
    _hint(
        Stage.ROOT,
        r"Failed to mount (?:/)?sysroot|Dependency failed for .*(?:sysroot|/sysroot)",
        "the initramfs could not mount the root filesystem",
    ),
    _failure(Stage.ROOT, r"Gave up waiting for root (?:file ?system )?device", "the initramfs gave up waiting for the root device"),
    _failure(Stage.ROOT, r"Unable to mount root fs on (\S+)", "the kernel cannot mount the root filesystem ({0})"),
    _failure(
        Stage.ROOT, r"Mounting root failed|initramfs emergency recovery shell launched", "the initramfs could not mount the root filesystem"
    ),
    _failure(Stage.ROOT, r"Could not find (\S+)\.?\s+Want me to fall back to", "the initramfs finds no {0}"),
    _failure(Stage.ROOT, r"The root filesystem on (\S+) requires a manual fsck", "the root filesystem on {0} needs a manual fsck"),
    # timeout scripts may still start a degraded RAID or a partial volume group, but not at the fifth attempt
    _failure(
        Stage.ROOT, r"dracut-initqueue: (?:starting )?timeout(?:,| scripts)", "dracut timed out waiting for the root device", final=10
    ),
    _failure(
        Stage.USERLAND, r"No (?:working )?init found|Requested init (?:\S+) failed", "there is no working init in the root filesystem"
    ),
    _failure(
        Stage.ROOT,
        r"Starting Dracut Emergency Shell|dracut:/#|dracut.*Could not boot|Entering emergency mode\. Exit the shell|Refusing to continue",
        "dracut gave up and opened its emergency shell",
    ),
    _failure(Stage.ROOT, r"^\(initramfs\)|dropped into an emergency shell|^\[rootfs .*\]# ", "the initramfs gave up and opened its shell"),
    # passphrases: nobody is there to type one
    _failure(
        Stage.UNLOCK,
        r"Please (?:unlock disk|enter passphrase for disk) (.+?):? ?|Enter passphrase for (/\S+)",
        "the guest waits for the passphrase of an encrypted disk",
        came_up=None,
    ),
    # mounts
    _hint(
        Stage.MOUNTS, r"Timed out waiting for device (?:\S+ - )?([^…]+)\.$", "{0} never appeared, and a mount that must not fail needs it"
    ),
    _hint(Stage.MOUNTS, r"UNEXPECTED INCONSISTENCY; RUN fsck MANUALLY", "a filesystem needs a manual fsck"),
    _hint(
        Stage.MOUNTS,
        r"Failed to mount (/?\S+)|mount: (/\S+): (?:special device|wrong fs type|unknown filesystem)",
        "{0}{1} could not be mounted",
    ),
    _hint(Stage.MOUNTS, r"Dependency failed for (?:\S+ - )?(/\S*?|.*Local File Systems)\.?$", "a mount that must not fail did: {0}"),
    _failure(Stage.MOUNTS, r"Cannot open access to console, the root account is locked", "the guest stopped in emergency mode"),
    _failure(
        Stage.MOUNTS,
        r"(?:You are in|Welcome to) (?:emergency|rescue) mode|(?:Give root password|Press Enter) for (?:system )?maintenance",
        "the guest stopped in emergency mode",
    ),
    # any other kernel panic
    _failure(Stage.USERLAND, r"Kernel panic - not syncing: (Attempted to kill init.*)", "init died: {0}"),
    _failure(Stage.KERNEL, r"Kernel panic - not syncing: (.+)", "the kernel panicked: {0}"),
    _failure(
        Stage.KERNEL,
        r"^(Failed to allocate|Decoding failed|incomplete literal tree|XZ-compressed data is corrupt)",
        "the kernel did not unpack: {0}",
    ),
    _failure(Stage.KERNEL, r"^-- System halted", "the kernel stopped before it could start"),
)
