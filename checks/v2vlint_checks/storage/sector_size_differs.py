"""Rule sector-size-differs."""

from collections.abc import Iterator

from v2vlint.api import (
    BlockDevice,
    BlockTable,
    Example,
    Finding,
    FirmwareVerdict,
    MountPolicy,
    MountsVerdict,
    OsInfo,
    RootVerdict,
    Rule,
    Severity,
    Stage,
    sample_chain,
)

_ESP = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b"
_LOADER: dict[str, str | bytes] = {"/boot/efi/EFI/BOOT/BOOTX64.EFI": b"MZ"}


def _disk(number: int, sector: str) -> BlockDevice:
    return BlockDevice(f"disk{number}", "disk", 2 << 30, number - 1, details=(("pt", "gpt"), ("sector_size", sector)))


def _part(disk: int, number: int, fs_type: str, uuid: str, part_type: str = "") -> BlockDevice:
    name = f"disk{disk}p{number}"
    return BlockDevice(name, "partition", 1 << 29, disk - 1, number, fs_type, uuid, part_type=part_type, parents=(f"disk{disk}",))


_LARGE = BlockTable((_disk(1, "4096"), _part(1, 1, "vfat", "AB-CD", _ESP)), chains=(sample_chain("none"),))
_USUAL = BlockTable((_disk(1, "512"), _part(1, 1, "vfat", "AB-CD", _ESP)), chains=(sample_chain("none"),))
_DATA = BlockTable((_disk(1, "512"), _part(1, 1, "ext4", "aa-11"), _disk(2, "4096"), _part(2, 1, "xfs", "bb-22")), chains=(sample_chain(),))
_STATED = BlockTable(
    (BlockDevice("disk1", "disk", 2 << 30, 0, details=(("sector_size", "4096"), ("stated_sector", "4096"))), *_LARGE.devices[1:]),
    chains=(sample_chain("none"),),
)


class SectorSizeDiffers(Rule):
    """The disks were laid out for another sector size than that of the target's disks.

    ## What it does
    Compares the logical sector size that partition tables are based on, 512 or 4,096 bytes, with that of the target's disks (the key
    `sector_size` of its profile, `<blockio logical_block_size=…/>` of a libvirt domain, the VHDX itself on Hyper-V), and also the block
    size of each mounted filesystem.

    ## Why it matters
    Partition tables are in units of sectors, and a GPT starts in the second one: with another sector size, firmware and kernel see no
    partitions, or all of them in the wrong places. XFS, ext, btrfs and FAT cannot be mounted if the disk's sectors are larger than their
    blocks. BIOS boot code reads 512 bytes, and SeaBIOS ignores virtio disks with larger sectors. Typical sources are "4K native" disks of
    physical machines, VHDX files with such sectors, and storage that presents 4,096 bytes.

    ## References
    - Linux `block/partitions/efi.c`, `fat_fill_super`, `xfs_readsb`, `sb_set_blocksize`; SeaBIOS `src/hw/virtio-blk.c`
    - UEFI specification, section 5.3.1; [MS-VHDX] 2.6.2.4; libvirt.org/formatdomain.html, `blockio`
    """

    severity = Severity.ERROR
    stage = Stage.FIRMWARE
    kinds = frozenset({"linux", "windows"})
    since = "0.1"
    predicts = (
        r"logical sector size too small for device",
        r"device supports \d+ byte sectors \(not \d+\)",
        r"block size \d+ is unsupported",
        r"Sector size not supported",
    )
    examples = (
        Example(_LOADER, given=(_LARGE,), flags=("disk1 partition table",), severity=Severity.ERROR, title="a 4K native disk"),
        Example(_LOADER, given=(_USUAL,)),
        Example(_LOADER, given=(_STATED,), target="hyperv-gen2", title="the VHDX says so, and Hyper-V presents it"),
        Example(
            {"/etc/fstab": "UUID=aa-11 / ext4\nUUID=bb-22 /srv xfs\n"},
            given=(_DATA,),
            flags=("/etc/fstab:2",),
            severity=Severity.ERROR,
            title="a disk for data from other storage",
        ),
        Example({"/etc/fstab": "UUID=bb-22 /srv xfs nofail\n"}, given=(_DATA,), flags=("/etc/fstab:1",), severity=Severity.WARNING),
    )

    def check(
        self, firmware: FirmwareVerdict, root: RootVerdict, mounts: MountsVerdict, policy: MountPolicy, os: OsInfo
    ) -> Iterator[Finding]:
        for cause in firmware.sectors:
            reads = "there is no partition table where UEFI looks for one" if cause.about == "uefi" else "a BIOS does not start such disks"
            effect = f"{reads}: give the disks sectors of the size that they were laid out in"
            yield self.finding(cause.where, cause.reason, effect, severity=cause.severity)
        for fault in root.sectors if os.kind == "linux" else ():
            yield self.finding(fault.where, fault.reason, "the kernel cannot mount its root", severity=fault.severity, stage=Stage.ROOT)
        for told in mounts.sectors if os.kind == "linux" else ():
            effect = policy.failure(told.about.entry) if told.about.appears else policy.effect(told.about.entry)
            yield self.finding(told.where, told.reason, effect, severity=told.severity, stage=Stage.MOUNTS)
