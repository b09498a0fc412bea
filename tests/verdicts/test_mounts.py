"""The verdict on mounts: each judge by each thing that decides it."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest

from tests.verdicts.asking import (
    DATA,
    DISKS,
    EL9,
    FAILS,
    ON_VOLUME,
    REPAIRED,
    ROOT,
    UNKNOWN,
    UNSURE,
    VOLUME,
    WARNS,
    Told,
    disk,
    landing,
    part,
    store,
    told,
    volumes,
)
from v2vlint.facts.boot.init import Init
from v2vlint.facts.conversion.devices import DeviceNames
from v2vlint.facts.environment.services import Services
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.finding import Fate
from v2vlint.target import load
from v2vlint.verdicts.mounts import MountsVerdict

SDA = DeviceNames({"sda": "vda"}, converts=True)
NOBODY = "0a1b2c3d-0000-4000-8000-0000000000ff"
TWO = BlockTable((*DISKS.devices, disk(2)))
PARTIAL = dataclasses.replace(DISKS, complete=False)


def asked(fstab: str, *given: object, **files: str) -> MountsVerdict:
    """The verdict on a guest with this fstab; other files are named ``etc_crypttab``."""
    more = {f"/{name.replace('_', '/')}": text for name, text in files.items()}
    return store({"/etc/fstab": fstab} | more, *given).get(MountsVerdict)


@pytest.mark.parametrize(
    ("line", "given", "found"),
    [
        ("/dev/sda2 /data xfs defaults 0 2", (landing("vd"),), [FAILS]),
        ("/dev/sda2 /data xfs nofail 0 2", (landing("vd"),), [WARNS]),
        ("/dev/sda2 /data xfs noauto 0 2", (landing("vd"),), []),
        ("/dev/sda2 / xfs defaults 0 1", (landing("vd"),), [WARNS]),
        ("/dev/sda2 / xfs defaults 0 1", (landing("vd"), Init("sysv")), [FAILS]),
        ("/dev/sda3 none swap sw 0 0", (landing("vd"),), [WARNS]),
        ("/dev/sda2 /data none bind 0 0", (landing("vd"),), []),
        (f"UUID={DATA} /data xfs defaults 0 2", (landing("vd"),), []),
        ("/dev/sda2 /data xfs defaults 0 2", (landing("sd"),), []),
        ("/dev/sda2 /data xfs defaults 0 2", (landing("sd", "vd"),), [FAILS]),
        ("/dev/sda2 /data xfs defaults 0 2", (landing("sd"), TWO), [UNSURE]),
        ("/dev/sda2 /data xfs nofail 0 2", (landing("sd"), TWO), [WARNS]),
        ("/dev/sda2 /data xfs defaults 0 2", (landing("vd"), SDA), [REPAIRED]),
        ("/dev/sdb2 /data xfs defaults 0 2", (landing("vd"), SDA), [FAILS]),
    ],
)
def test_kernel_names(line: str, given: tuple[object, ...], found: Told) -> None:
    assert told(asked(line, *given).kernel_names) == found


def test_a_kernel_name_keeps_what_becomes_of_it_before_and_after_the_mover() -> None:
    (cause,) = asked("/dev/sda2 /data xfs defaults 0 2", landing("vd"), SDA).kernel_names
    assert (cause.about.fate.name, cause.about.after) == ("GONE", "/dev/vda2")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("/dev/sda2 /data xfs defaults 0 2", []),
        ("/dev/sda7 /data xfs defaults 0 2", [UNKNOWN]),
        ("/dev/sda7 /data xfs nofail 0 2", []),
        ("LABEL=x /data xfs defaults 0 2", []),
    ],
)
def test_kernel_names_without_a_partition(line: str, found: Told) -> None:
    """A disk that could not be read whole may have it, and so may one that a cloud adds."""
    assert told(asked(line, landing("sd"), PARTIAL).unmatched) == found
    assert told(asked(line, landing("sd"), load("azure")).unmatched) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2 /data xfs defaults 0 2", [FAILS]),
        ("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2 /data xfs nofail 0 2", [WARNS]),
        ("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:0:0-part2 /data xfs noauto 0 2", []),
        ("/dev/disk/by-id/x-part2 /data none bind 0 0", []),
        ("/dev/disk/by-uuid/x /data xfs defaults 0 2", []),
    ],
)
def test_names_made_of_hardware(line: str, found: Told) -> None:
    assert told(asked(line).hardware_paths) == found


@pytest.mark.parametrize(
    ("line", "blocks", "found"),
    [
        (f"UUID={NOBODY} /data xfs defaults 0 2", DISKS, [FAILS]),
        (f"UUID={NOBODY} /data xfs nofail 0 2", DISKS, [WARNS]),
        (f"UUID={NOBODY} /data xfs noauto 0 2", DISKS, []),
        (f"UUID={NOBODY} / xfs defaults 0 1", DISKS, [WARNS]),
        (f"UUID={NOBODY} none swap sw 0 0", DISKS, [WARNS]),
        (f"UUID={DATA} /data xfs defaults 0 2", DISKS, []),
        (f"UUID={NOBODY} /data xfs defaults 0 2", PARTIAL, [UNKNOWN]),
        (f"UUID={NOBODY} /data xfs nofail 0 2", PARTIAL, [(Fate.PASS, None)]),
        ("/dev/mapper/vg-data /data xfs defaults 0 2", DISKS, [FAILS]),
        ("/dev/vg/data /data xfs defaults 0 2", DISKS, [UNKNOWN]),
        ("/dev/vg/data /data xfs nofail 0 2", PARTIAL, []),
        ("/srv/image /data ext4 loop 0 0", DISKS, [UNKNOWN]),
        ("server:/export /data nfs defaults 0 0", DISKS, []),
        (f"UUID={NOBODY} /data xfs defaults 0 2", BlockTable(), [UNKNOWN]),
        ("/dev/sda9 /data xfs defaults 0 2", DISKS, []),
    ],
)
def test_what_is_on_none_of_the_disks(line: str, blocks: BlockTable, found: Told) -> None:
    assert told(asked(line, blocks).missing) == found


def test_swap_space_that_is_not_there_is_called_so() -> None:
    (cause,) = asked(f"UUID={NOBODY} none swap sw 0 0").missing
    assert cause.reason.startswith("swap space is on")


@pytest.mark.parametrize(
    ("prefixes", "options", "found"),
    [
        (("vd",), "defaults", [FAILS]),
        (("xvd", "vd"), "defaults", [FAILS]),
        (("sd",), "defaults", [UNSURE]),
        (("vd", "sd"), "defaults", [UNSURE]),
        (("vd",), "nofail", [WARNS]),
        (("vd",), "noauto", []),
    ],
)
def test_multipath(prefixes: tuple[str, ...], options: str, found: Told) -> None:
    line = f"/dev/mapper/mpatha-part1 /data xfs {options} 0 2"
    assert told(asked(line, landing(*prefixes)).multipath) == found


@pytest.mark.parametrize(
    ("line", "target", "found"),
    [
        (".host:/ /mnt fuse.vmhgfs-fuse defaults 0 0", "kvm", [FAILS]),
        ("vmhgfs-fuse#.host:/ /mnt fuse defaults 0 0", "kvm", [FAILS]),
        ("/usr/bin/vmhgfs-fuse /mnt fuse nofail 0 0", "kvm", [WARNS]),
        (".host:/ /mnt fuse.vmhgfs-fuse noauto 0 0", "kvm", []),
        ("sshfs#me@there: /mnt fuse defaults 0 0", "kvm", []),
        (".host:/ /mnt vmhgfs defaults 0 0", "vmware", [UNSURE]),
        ("share /mnt vboxsf defaults 0 0", "vmware", [FAILS]),
    ],
)
def test_folders_of_the_host(line: str, target: str, found: Told) -> None:
    assert told(store({"/etc/fstab": line}, target=target).get(MountsVerdict).host_folders) == found


LUKS = BlockTable((disk(), part(1, "ext4", ROOT), part(2, "crypto_LUKS", VOLUME)))
MAPPED = "/dev/mapper/data /data xfs defaults 0 2"


@pytest.mark.parametrize(
    ("line", "fstab", "given", "found"),
    [
        ("data /dev/sda2 none luks", MAPPED, (landing("vd"),), [FAILS]),
        ("data /dev/sda2 none luks", "", (landing("vd"),), [WARNS]),
        ("data /dev/sda2 /dev/urandom swap", MAPPED, (landing("vd"),), []),
        ("data /dev/sda2 none luks,noauto", MAPPED, (landing("vd"),), []),
        ("data /dev/sda2 none luks", MAPPED, (landing("sd"),), []),
        ("data /dev/sda2 none luks", MAPPED, (landing("sd"), BlockTable((*LUKS.devices, disk(2)))), [UNSURE]),
        ("data /dev/sda2 none luks", MAPPED, (landing("vd"), SDA), [REPAIRED]),
        ("data UUID=x none luks", MAPPED, (landing("vd"),), []),
    ],
)
def test_kernel_names_in_crypttab(line: str, fstab: str, given: tuple[object, ...], found: Told) -> None:
    blocks = () if any(isinstance(fact, BlockTable) for fact in given) else (LUKS,)
    assert told(asked(fstab, *blocks, *given, etc_crypttab=line + "\n").mapped_names) == found


@pytest.mark.parametrize(
    ("line", "fstab", "found"),
    [
        ("data /dev/disk/by-path/x none luks", MAPPED, [FAILS]),
        ("data /dev/disk/by-path/x none luks", "", [WARNS]),
        ("data /dev/disk/by-path/x none luks,noauto", MAPPED, []),
        ("data /dev/disk/by-path/x /dev/random swap", MAPPED, []),
    ],
)
def test_hardware_names_in_crypttab(line: str, fstab: str, found: Told) -> None:
    assert told(asked(fstab, LUKS, etc_crypttab=line + "\n").mapped_hardware) == found


@pytest.mark.parametrize(
    ("line", "fstab", "blocks", "found"),
    [
        (f"data UUID={NOBODY} none luks", MAPPED, LUKS, [FAILS]),
        (f"data UUID={NOBODY} none luks", "", LUKS, [WARNS]),
        (f"data UUID={NOBODY} none luks,noauto", MAPPED, LUKS, []),
        (f"data UUID={VOLUME} none luks", MAPPED, LUKS, []),
        (f"data UUID={NOBODY} none luks", MAPPED, dataclasses.replace(LUKS, complete=False), [UNKNOWN]),
        (f"data UUID={NOBODY} none luks", "", dataclasses.replace(LUKS, complete=False), [(Fate.PASS, None)]),
        (f"data UUID={NOBODY} none luks", MAPPED, BlockTable(), []),
        ("data /dev/sda9 none luks", MAPPED, LUKS, []),
    ],
)
def test_containers_on_none_of_the_disks(line: str, fstab: str, blocks: BlockTable, found: Told) -> None:
    assert told(asked(fstab, blocks, etc_crypttab=line + "\n").mapped_missing) == found


@pytest.mark.parametrize(
    ("spec", "absent", "found"),
    [("/dev/vg/data", "", []), ("/dev/vg/data", "1", [UNKNOWN]), (f"UUID={DATA}", "1", [UNKNOWN]), ("/dev/vg/data", "1 nofail", [])],
)
def test_a_group_that_lacks_a_physical_volume(spec: str, absent: str, found: Told) -> None:
    """Even a volume that has no part on it stays down."""
    count, _, option = absent.partition(" ")
    blocks = volumes(2)
    lacking = BlockTable((*blocks.devices[:-1], replace(blocks.devices[-1], details=(("absent", count),) if count else ())))
    fstab = f"UUID={ROOT} / ext4 defaults 0 1\n{spec} /data xfs {option or 'defaults'} 0 2\n"
    assert told(store({"/etc/fstab": fstab}, lacking).get(MountsVerdict).incomplete_groups) == found


@pytest.mark.parametrize(
    ("pattern", "fstab", "prefix", "found"),
    [
        ('"a|^/dev/sda|", "r|.*|"', ON_VOLUME, "vd", [FAILS]),
        ('"a|^/dev/sda|", "r|.*|"', "", "vd", [WARNS]),
        ('"a|^/dev/sda|", "r|.*|"', ON_VOLUME, "sd", []),
        ('"a|^/dev/vda3$|", "r|.*|"', ON_VOLUME, "vd", []),
        ('"a|^/dev/nvme0n1p3$|", "r|.*|"', ON_VOLUME, "nvme", []),
        ('"a|/by-id/lvm-pv-uuid-pv3|", "r|.*|"', ON_VOLUME, "vd", []),
        ('"a|/by-partuuid/part3|", "r|.*|"', ON_VOLUME, "vd", []),
        ('"a|(|"', ON_VOLUME, "vd", [UNKNOWN]),
        ('"r|/dev/cdrom|"', ON_VOLUME, "vd", []),
    ],
)
def test_filters_of_lvm(pattern: str, fstab: str, prefix: str, found: Told) -> None:
    files = {"/etc/fstab": fstab, "/etc/lvm/lvm.conf": f"devices {{\n global_filter = [ {pattern} ]\n}}\n"}
    assert told(store(files, volumes(3), landing(prefix)).get(MountsVerdict).lvm_filters) == found


def test_the_needed_volume_that_a_filter_rejects_is_named_first() -> None:
    files = {"/etc/fstab": ON_VOLUME, "/etc/lvm/lvm.conf": 'devices {\n filter = [ "r|.*|" ]\n}\n'}
    (cause,) = store(files, volumes(2, 3), landing("vd")).get(MountsVerdict).lvm_filters
    assert cause.about is not None
    assert [(device.name, paths[0]) for device, paths in cause.about.volumes] == [("disk1p3", "/dev/vda3"), ("disk1p2", "/dev/vda2")]
    assert "rejects /dev/vda3" in cause.reason


def arrays(uuid: str) -> BlockTable:
    """An array on two partitions, with a filesystem of this UUID."""
    members = tuple(part(number, "linux_raid_member", f"m{number}") for number in (5, 6))
    return BlockTable((disk(), *members, BlockDevice("md/0", "md", 1 << 30, 0, fs_type="xfs", uuid=uuid, parents=("disk1p5", "disk1p6"))))


@pytest.mark.parametrize(
    ("conf", "fstab", "prefix", "found"),
    [
        ("DEVICE /dev/sda5 /dev/sda6", f"UUID={DATA} /data xfs defaults 0 2", "vd", [FAILS]),
        ("DEVICE /dev/sda5 /dev/sda6", "", "vd", [WARNS]),
        ("DEVICE /dev/sda5 /dev/sda6", f"UUID={DATA} /data xfs defaults 0 2", "sd", []),
        ("DEVICE partitions", f"UUID={DATA} /data xfs defaults 0 2", "vd", []),
        ("DEVICE /dev/disk/by-path/x", f"UUID={DATA} /data xfs defaults 0 2", "sd", [FAILS]),
        ("device /dev/sd[a-c]5", f"UUID={DATA} /data xfs defaults 0 2", "vd", [FAILS]),
        ("DEV /dev/disk/by-id/ata-*", f"UUID={DATA} /data xfs defaults 0 2", "sd", [FAILS]),
        ("DEVICE /dev/disk/by-id/md-*", f"UUID={DATA} /data xfs defaults 0 2", "vd", []),
        ("DEVICE /dev/cciss/c0d*", f"UUID={DATA} /data xfs defaults 0 2", "vd", [FAILS]),
        ("DEVICE /dev/v*", f"UUID={DATA} /data xfs defaults 0 2", "vd", []),
        ("DEVICE /dev/*", f"UUID={DATA} /data xfs defaults 0 2", "vd", []),
        ("ARRAY /dev/md0 devices=/dev/sda5,/dev/sda6", f"UUID={DATA} /data xfs defaults 0 2", "vd", [FAILS]),
    ],
)
def test_names_in_mdadm_conf(conf: str, fstab: str, prefix: str, found: Told) -> None:
    files = {"/etc/fstab": fstab, "/etc/mdadm/mdadm.conf": conf + "\n"}
    assert told(store(files, arrays(DATA), landing(prefix)).get(MountsVerdict).md_names) == found


def test_what_is_mounted_when_all_is_well() -> None:
    verdict = asked(f"UUID={ROOT} / ext4 defaults 0 1\nUUID={DATA} /data xfs defaults 0 2\nproc /proc proc defaults 0 0\n", Services())
    assert (verdict.fate, verdict.decisive.reason) == (Fate.PASS, "/data found")
    assert asked(f"UUID={ROOT} / ext4 defaults 0 1\n").decisive.reason == "nothing but the root is needed"


def test_the_first_rejected_volume_is_named_where_none_is_needed() -> None:
    files = {"/etc/fstab": "", "/etc/lvm/lvm.conf": 'devices {\n filter = [ "r|.*|" ]\n}\n'}
    (cause,) = store(files, volumes(2, 3), landing("vd")).get(MountsVerdict).lvm_filters
    assert cause.reason == "filter rejects /dev/vda2, the name of the physical volume disk1p2 on the target"


@pytest.mark.parametrize(
    ("line", "what", "found"),
    [
        (f"UUID={DATA} /data xfs defaults 0 2", "/data is on disk1p2", FAILS),
        (f"UUID={DATA} /data xfs nofail 0 2", "/data is on disk1p2", WARNS),
        (f"UUID={VOLUME} none swap sw 0 0", "swap space is on disk1p3", WARNS),
    ],
)
def test_partitions_that_disks_of_other_sectors_do_not_show(line: str, what: str, found: tuple[object, object]) -> None:
    counted = BlockTable((disk(details=(("sector_size", "512"),)), *DISKS.devices[1:]))
    target = dataclasses.replace(load("kvm"), sector_size=4096)
    (cause,) = asked(line, counted, target).sectors
    assert ([(cause.fate, cause.severity)], cause.reason.split(":")[0], cause.about.appears) == ([found], what, False)
    assert told(asked(line, counted).sectors) == []
    assert told(asked(f"UUID={ROOT} / ext4 defaults 0 1", counted, target).sectors) == []


@pytest.mark.parametrize(
    ("device", "options", "blocks", "found"),
    [
        ("/dev/disk/by-id/ata-x", "", DISKS, [FAILS]),
        ("/dev/disk/by-id/ata-x", ",nofail", DISKS, [WARNS]),
        ("/dev/sdb", "", DISKS, [FAILS]),
        (f"/dev/disk/by-uuid/{NOBODY}", "", DISKS, [FAILS]),
        (f"/dev/disk/by-uuid/{DATA}", "", DISKS, []),
        (f"/dev/disk/by-uuid/{NOBODY}", "", PARTIAL, [UNKNOWN]),
        (f"/dev/disk/by-uuid/{NOBODY}", ",nofail", PARTIAL, []),
        (f"/dev/disk/by-uuid/{NOBODY}", "", BlockTable(), [UNKNOWN]),
        ("/dev/vda1", "", DISKS, []),
        ("/dev/vg/log", "", DISKS, [UNKNOWN]),
    ],
)
def test_devices_that_a_mount_requires_besides(device: str, options: str, blocks: BlockTable, found: Told) -> None:
    line = f"tmpfs /data tmpfs x-systemd.requires={device}{options} 0 0"
    assert told(asked(line, blocks, landing("vd")).required) == found


def test_three_identities_of_lvms_devices_file_are_named_and_the_first_is_pointed_at() -> None:
    lines = "".join(f"IDTYPE=sys_wwid IDNAME=naa.{number} DEVNAME=/dev/sda PVID=x PART=2\n" for number in range(1, 5))
    files = {"/etc/fstab": ON_VOLUME, "/etc/lvm/devices/system.devices": lines}
    (cause,) = store(files, volumes(3), EL9).get(MountsVerdict).lvm_devices
    assert (str(cause.where), "naa.1, naa.2, naa.3)" in cause.reason) == ("/etc/lvm/devices/system.devices:1:1", True)


@pytest.mark.parametrize(
    ("line", "label", "found"),
    [
        ("LABEL=data /data ext4 defaults 0 2", "data", [UNKNOWN]),
        ("LABEL=data /data ext4 nofail 0 2", "data", []),
        ("LABEL=data /data ext4 defaults 0 2", "other", []),
    ],
)
def test_a_label_that_two_filesystems_have(line: str, label: str, found: Told) -> None:
    disks = (disk(), disk(2))
    parts = (replace(part(2, "ext4", "u-1"), label="data"), replace(part(2, "ext4", "u-2", on=2), label=label))
    assert told(asked(line, BlockTable((*disks, *parts))).ambiguous) == found
