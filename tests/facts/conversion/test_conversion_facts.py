"""What virt-v2v makes of a guest: its names, kernel, machine, menu and loader, each by what its code looks at."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import DATA, DISKS, ROOT, disk, part, store
from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.choices import BootChoices
from v2vlint.facts.boot.efi import Efi, EfiImage
from v2vlint.facts.boot.firmware import Firmware
from v2vlint.facts.boot.path import BootPaths
from v2vlint.facts.conversion.devices import DeviceNames, find_device_names
from v2vlint.facts.conversion.kernel import PUT_IN, ConvertedKernel, _candidates
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.conversion.loader import ConvertedLoader
from v2vlint.facts.conversion.menu import ConvertedMenu
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.conversion.run import Conversion, find_conversion
from v2vlint.facts.kernel.kernels import Kernels
from v2vlint.guest.fs import MAX_TEXT
from v2vlint.model.blocks import BlockTable
from v2vlint.model.definition import Definition, DiskDevice
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.finding import Mover
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Content
from v2vlint.samples.boot import EXT4, NETWORK, SCSI, VERSION, VIRTIO, sample_boot, sample_chain, sample_kernel, sample_tools
from v2vlint.target import load

CONVERTS = Refusals(converts=True)


def linux(distro: str, family: str, version: str) -> OsInfo:
    return OsInfo("linux", distro, family, distro.title(), version, "x86_64")


RHEL5, RHEL9, SLES, DEBIAN = (
    linux("rhel", "rhel", "5.11"),
    linux("rhel", "rhel", "9.4"),
    linux("sles", "suse", "12.5"),
    linux("debian", "debian", "12.5"),
)


@pytest.mark.parametrize(
    ("os", "buses", "before", "after"),
    [
        (DEBIAN, None, "/dev/sda2", "/dev/vda2"),
        (RHEL9, None, "/dev/sda2", "/dev/vda2"),
        (RHEL5, None, "/dev/sda2", "/dev/sda2"),
        (RHEL5, None, "/dev/hda2", "/dev/vda2"),
        (SLES, None, "/dev/sda2", "/dev/sda2"),
        (SLES, None, "/dev/hda", "/dev/vda"),
        (DEBIAN, None, "/dev/hda2", "/dev/hda2"),
        (DEBIAN, None, "/dev/xvda1", "/dev/vda1"),
        (DEBIAN, ("scsi", "scsi"), "/dev/sdb1", "/dev/vdb1"),
        (DEBIAN, ("sata", "usb"), "/dev/sdb1", "/dev/vdb1"),
        (DEBIAN, ("nvme", "nvme"), "/dev/nvme1n1p3", "/dev/vdb3"),
        (DEBIAN, ("nvme",), "/dev/nvme0n1", "/dev/vda"),
        (DEBIAN, ("virtio",), "/dev/vda1", "/dev/vda1"),
        (DEBIAN, ("scsi",), "/dev/sdb1", "/dev/sdb1"),
        (SLES, ("ide",), "/dev/hda1", "/dev/vda1"),
        (DEBIAN, ("ide",), "/dev/sda1", "/dev/vda1"),
        (DEBIAN, ("scsi",) * 27, "/dev/sdaa1", "/dev/vdaa1"),
        (DEBIAN, ("scsi",) * 27, "/dev/sdz1", "/dev/vdz1"),
        (DEBIAN, None, "/dev/disk/by-id/x", "/dev/disk/by-id/x"),
        (DEBIAN, None, "/dev/mmcblk0p1", "/dev/mmcblk0p1"),
        (DEBIAN, None, "UUID=x", "UUID=x"),
    ],
)
def test_names_of_disks(os: OsInfo, buses: tuple[str, ...] | None, before: str, after: str) -> None:
    disks = tuple(DiskDevice(f"disk{number}", bus=bus) for number, bus in enumerate(buses or ()))
    names = find_device_names(CONVERTS, ConvertedKernel(), os, Definition("vmx" if buses else "", "", disks=disks), DISKS)
    assert (names.after(before), names.changes(before)) == (after, after != before)


def test_every_disk_without_a_definition_is_renamed_in_its_place() -> None:
    two = BlockTable((*DISKS.devices, disk(2)))
    names = find_device_names(CONVERTS, ConvertedKernel(), DEBIAN, Definition("", ""), two)
    assert (names.after("/dev/sdb1"), names.after("/dev/sdc1")) == ("/dev/vdb1", "/dev/sdc1")
    alone = find_device_names(CONVERTS, ConvertedKernel(), DEBIAN, Definition("", ""), BlockTable())
    assert alone.after("/dev/sda1") == "/dev/vda1"


def test_who_is_refused_keeps_every_name() -> None:
    names = find_device_names(Refusals(), ConvertedKernel(), DEBIAN, Definition("", ""), DISKS)
    assert (names.after("/dev/sda1"), names.in_crypttab("/dev/sda1")) == ("/dev/sda1", "/dev/sda1")


@pytest.mark.parametrize(
    ("before", "after"),
    [("/dev/sda2", "UUID="), ("/dev/sdq2", "UUID="), ("/dev/hda2", "/dev/vda2"), ("/dev/sda-x", "/dev/sda-x"), ("UUID=x", "UUID=x")],
)
def test_crypttab_gets_the_uuid(before: str, after: str) -> None:
    assert DeviceNames({"hda": "vda"}, converts=True).in_crypttab(before) == after


KERNEL = sample_kernel((*VIRTIO, *SCSI, *EXT4, *NETWORK))
ALL: dict[str, Content] = {
    **sample_boot(KERNEL, args=f"root=UUID={ROOT} ro"),
    "/etc/fstab": f"UUID={ROOT} / ext4 defaults 0 1\n",
    **sample_tools(),
}
BLOCKS = BlockTable((disk(details=(("pt", "dos"),)), part(1, "ext4", ROOT)), chains=(sample_chain(),))


@pytest.mark.parametrize(
    ("mover", "target", "found"),
    [
        (Mover.RAW, "kvm", Conversion(False, False)),
        (Mover.VIRT_V2V, "kvm", Conversion(True, True)),
        (Mover.VIRT_V2V, "kubevirt", Conversion(True, True)),
        (Mover.VIRT_V2V, "azure", Conversion(True, False)),
    ],
)
def test_whether_it_makes_the_machine(mover: Mover, target: str, found: Conversion) -> None:
    assert find_conversion(mover, load(target)) == found


def refused(files: dict[str, Content], *given: object) -> list[str]:
    known = {type(fact) for fact in given}
    return [
        found.kind
        for found in store(files, *((BLOCKS,) if BlockTable not in known else ()), *given, mover=Mover.VIRT_V2V).get(Refusals).found
    ]


def test_a_plain_debian_is_converted() -> None:
    assert store(ALL, BLOCKS, mover=Mover.VIRT_V2V).get(Refusals) == CONVERTS
    assert store(ALL, BLOCKS, mover=Mover.RAW).get(Refusals) == Refusals()


@pytest.mark.parametrize(
    ("os", "files", "kinds"),
    [
        (linux("opensuse-leap", "suse", "15.5"), {}, []),
        (linux("altlinux", "alt", "10"), {}, []),
        (linux("arch", "arch", ""), {}, ["distribution"]),
        (linux("arch", "arch", ""), {"/etc/debian_version": "12\n"}, ["distribution"]),
        (linux("amzn", "rhel", "2023"), {"/etc/redhat-release": "Rocky\n"}, ["distribution"]),
        (linux("nosuch", "rhel", "9"), {}, ["distribution"]),
        (linux("debian", "debian", "12"), {"/etc/os-release": "ID=Debian\n"}, ["distribution"]),
        (linux("debian", "debian", "12"), {"/etc/os-release": "ID=Debian\n", "/etc/debian_version": "12\n"}, []),
        (linux("arch", "arch", ""), {"/etc/os-release": "ID=Arch\n", "/etc/redhat-release": "x\n"}, []),
        (linux("nosuch", "rhel", "9"), {"/etc/redhat-release": "x\n"}, []),
        (linux("nosuch", "debian", "9"), {"/etc/lsb-release": 'DISTRIB_ID="LinuxMint"\n'}, []),
        (linux("nosuch", "debian", "9"), {"/etc/lsb-release": "DISTRIB_ID=Other\n"}, ["distribution"]),
    ],
)
def test_the_closed_list_of_distributions(os: OsInfo, files: dict[str, Content], kinds: list[str]) -> None:
    assert refused(ALL | files, os) == kinds


def without(*paths: str) -> dict[str, Content]:
    return {path: content for path, content in ALL.items() if path not in paths}


@pytest.mark.parametrize(
    ("files", "kinds"),
    [
        (without("/usr/sbin/grub-mkconfig"), ["boot loader"]),
        (without("/usr/sbin/mkinitramfs"), ["initramfs builder"]),
        (ALL | {"/etc/fstab": "/dev/sda1 /\n"}, ["fstab"]),
        (ALL | {"/etc/fstab": f"UUID={DATA} /data xfs defaults 0 0\n"}, ["fstab root"]),
        (ALL | {"/etc/fstab": "proc /proc proc defaults 0 0\nserver:/x /x nfs defaults 0 0\nUUID=x none swap sw 0 0\n"}, []),
        (ALL | {"/etc/dracut.conf.d/50-network-legacy.conf": "add_dracutmodules+=x\n"}, ["dracut"]),
        (ALL | {"/etc/dracut.conf.d/50-network-legacy.conf": "x\n", "/usr/sbin/dhclient": ""}, []),
        (ALL | {"/etc/dracut.conf.d/50-network-legacy.conf": "x\n", "/sbin/dhclient": ""}, []),
    ],
)
def test_refusals(files: dict[str, Content], kinds: list[str]) -> None:
    assert refused(files) == kinds


def test_a_loader_that_it_does_not_know() -> None:
    found = store(ALL, BLOCKS, Bootloader(other="systemd-boot"), mover=Mover.VIRT_V2V).get(Refusals).found
    assert [(one.kind, "systemd-boot" in one.reason) for one in found] == [("boot loader", True)]
    assert "boot loader" not in refused(ALL, Bootloader())


@pytest.mark.parametrize(
    ("firmware", "mount", "kinds"),
    [
        (Firmware(False, True, "", ""), "/efi", ["boot loader"]),
        (Firmware(False, True, "", ""), "/boot/efi", []),
        (Firmware(False, True, "", ""), "", []),
        (Firmware(True, False, "", ""), "/efi", []),
        (Firmware(True, True, "", ""), "/efi", []),
    ],
)
def test_an_esp_where_it_does_not_look(firmware: Firmware, mount: str, kinds: list[str]) -> None:
    assert refused(ALL, firmware, Efi(mount, "disk1p2")) == kinds


def test_kernels_for_xen_alone() -> None:
    other = sample_kernel(version="6.1.0-20-amd64")
    configs = {f"/boot/config-{version}": "CONFIG_X86_64_XEN=y\n" for version in (VERSION, "6.1.0-20-amd64")}
    found = store({**ALL, **other, **configs}, BLOCKS, mover=Mover.VIRT_V2V).get(Refusals).found
    first = store({**ALL, **other, **configs}, BLOCKS).get(Kernels).bootable[0]
    assert [(one.kind, one.where) for one in found] == [("kernel", first.where)]
    assert refused({**ALL, **other, **dict([*configs.items()][:1])}) == []


def test_machines_it_makes() -> None:
    plain = store(ALL, BLOCKS, CONVERTS, mover=Mover.VIRT_V2V).get(Landing)
    assert ([one.name for one in plain.controllers], [one.name for one in plain.nics], plain.firmware) == (
        ["virtio-blk"],
        ["virtio-net"],
        ("bios",),
    )
    old: dict[str, Content] = {**sample_boot(sample_kernel((*SCSI, *EXT4)), args=f"root=UUID={ROOT}"), **sample_tools()}
    bare = store(old, BLOCKS, CONVERTS, mover=Mover.VIRT_V2V).get(Landing)
    assert ([one.name for one in bare.controllers], [one.name for one in bare.nics]) == (["SATA or IDE"], ["e1000"])
    assert (set(plain.prefixes), set(bare.prefixes)) == ({"vd"}, {"sd"})
    raw = store(ALL, BLOCKS, mover=Mover.RAW).get(Landing)
    assert raw.firmware == load("kvm").firmware


def test_the_machine_for_a_guest_whose_menu_is_too_large() -> None:
    """Which kernel it prepares is then unknown, and the target's own hardware stands."""
    files: dict[str, Content] = {**ALL, "/boot/grub/grub.cfg": "#" * (MAX_TEXT + 1)}
    facts = store(files, BLOCKS, CONVERTS, mover=Mover.VIRT_V2V)
    with pytest.raises(FactUnavailable):
        facts.get(ConvertedKernel)
    assert facts.get(Landing).controllers == load("kvm").controllers


ESP, BIOS_BOOT = "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "21686148-6449-6e6f-744e-656564454649"


@pytest.mark.parametrize(
    ("blocks", "firmware", "found"),
    [
        (BLOCKS, "", ("bios",)),
        (BLOCKS, "uefi", ("uefi",)),
        (BlockTable((*BLOCKS.devices, part(2, "vfat", "e", part_type=ESP))), "", ("uefi",)),
        (BlockTable((*BLOCKS.devices, part(2, "vfat", "e", part_type=ESP))), "bios", ("bios",)),
        (BlockTable((*BLOCKS.devices, part(2, "vfat", "e", part_type=ESP), part(3, "", part_type=BIOS_BOOT))), "", ("bios",)),
        (dataclasses.replace(BLOCKS, complete=False), "", load("kvm").firmware),
    ],
)
def test_the_firmware_of_its_machine(blocks: BlockTable, firmware: str, found: tuple[str, ...]) -> None:
    definition = Definition("vmx", "vm.vmx", firmware=firmware)
    assert store(ALL, blocks, CONVERTS, definition, mover=Mover.VIRT_V2V).get(Landing).firmware == found


def test_the_kernel_that_it_prepares_is_the_newest_with_virtio_net() -> None:
    newer, newest = sample_kernel((*VIRTIO, *EXT4, *NETWORK), version="6.1.0-20-amd64"), sample_kernel(EXT4, version="6.5.0-1-amd64")
    files: dict[str, Content] = {**ALL, **newer, **newest}
    found = store(files, BLOCKS, CONVERTS).get(ConvertedKernel)
    assert found.best is not None
    assert found.best.kernel is not None
    assert (found.best.kernel.version, found.is_default, found.supports("virtio_blk"), found.supports("nvme")) == (
        "6.1.0-20-amd64",
        False,
        True,
        False,
    )
    assert store(files | {"/usr/sbin/grubby": ""}, BLOCKS, CONVERTS).get(ConvertedKernel).is_default
    assert store(files | {"/usr/lib/perl5/vendor_perl/5.18/Bootloader/Tools.pm": ""}, BLOCKS, CONVERTS).get(ConvertedKernel).is_default
    assert store(ALL, BLOCKS, CONVERTS).get(ConvertedKernel).is_default
    assert store(files, BLOCKS, Refusals()).get(ConvertedKernel) == ConvertedKernel()
    assert "virtio_blk" in PUT_IN


def test_a_rescue_kernel_is_prepared_only_where_there_is_no_other() -> None:
    rescue = "0-rescue-0a1b2c3d"
    files: dict[str, Content] = {**sample_kernel((*VIRTIO, *EXT4, *NETWORK), version=rescue)}
    line = f"menuentry 'x' {{\n linux /boot/vmlinuz-{rescue} root=UUID={ROOT}\n}}\n"
    alone = store(files | {"/boot/grub/grub.cfg": line}, BLOCKS, CONVERTS).get(ConvertedKernel)
    assert (alone.best is not None, alone.is_default) == (True, True)
    menu = f"{ALL['/boot/grub/grub.cfg']!s}{line}"
    both = store({**ALL, **files, "/boot/grub/grub.cfg": menu}, BLOCKS, CONVERTS).get(BootChoices)
    assert [choice.version for choice in _candidates(both)] == [VERSION]


def test_only_the_image_of_its_kernel_is_rebuilt() -> None:
    newer = sample_kernel((*VIRTIO, *EXT4, *NETWORK), version="6.1.0-20-amd64")
    menu = {"/boot/grub/grub.cfg": f"{ALL['/boot/grub/grub.cfg']!s}menuentry 'new' {{\n linux /boot/vmlinuz-6.1.0-20-amd64 quiet\n}}\n"}
    found = store({**ALL, **newer, **menu}, BLOCKS, CONVERTS)
    paths = [path for choice in found.get(BootChoices).defaults if (path := found.get(BootPaths).of(choice)) is not None]
    assert [found.get(ConvertedKernel).path(path).rebuilt for path in paths] == [None]
    same = store(ALL, BLOCKS, CONVERTS)
    paths = [path for choice in same.get(BootChoices).defaults if (path := same.get(BootPaths).of(choice)) is not None]
    assert [same.get(ConvertedKernel).path(path).rebuilt for path in paths] == [frozenset(PUT_IN)]
    assert [same.get(ConvertedKernel).path(dataclasses.replace(path, image=None)).rebuilt for path in paths] == [None]
    assert [ConvertedKernel().path(path).rebuilt for path in paths] == [None]


GRUB = {"/boot/grub/grub.cfg": "menuentry 'x' {\n linux /boot/vmlinuz-6.1.0-13-amd64 root=/dev/sda1 ro\n}\n"}


@pytest.mark.parametrize(
    ("fstab", "default", "root"),
    [
        ("/dev/sda1 / ext4 defaults 0 1\n", "", "UUID="),
        (f"UUID={ROOT} / ext4 defaults 0 1\n", "", "/dev/sda1"),
        (f"UUID={ROOT} / ext4 defaults 0 1\n", 'GRUB_CMDLINE_LINUX="resume=/dev/sda2"\n', "UUID="),
        ("/dev/sda1 / ext4 defaults 0 1\n", 'GRUB_CMDLINE_LINUX="root=/dev/sda1"\n', "/dev/sda1"),
        ("/dev/sda1 / ext4 defaults 0 1\n", "GRUB_DISABLE_LINUX_UUID=true\n", "/dev/sda1"),
        ("/dev/sda1 / ext4 defaults 0 1\n", "GRUB_DISABLE_LINUX_PARTUUID=true\n", "UUID="),
        ("/dev/sda1 / ext4 defaults 0 1\n", "GRUB_DISABLE_LINUX_UUID=true\nGRUB_DISABLE_LINUX_PARTUUID=false\n", "UUID="),
    ],
)
def test_the_root_in_a_menu_written_anew(fstab: str, default: str, root: str) -> None:
    files = ALL | GRUB | {"/etc/fstab": fstab, "/etc/default/grub": default}
    found = store(files, BLOCKS, CONVERTS, mover=Mover.VIRT_V2V)
    (entry,) = found.get(Bootloader).all_entries
    assert entry.root is not None
    assert found.get(ConvertedMenu).root(entry.root) == root


@pytest.mark.parametrize(("line", "rewritten"), [("x /dev/sda2 none luks", True), ("x UUID=1 none luks", False), ("", False)])
def test_a_name_in_crypttab_has_the_menu_written_anew(line: str, rewritten: bool) -> None:
    files = ALL | GRUB | {"/etc/crypttab": f"{line}\n"}
    assert store(files, BLOCKS, CONVERTS, mover=Mover.VIRT_V2V).get(ConvertedMenu).rewritten is rewritten


def test_a_menu_of_a_guest_that_it_refuses_stays() -> None:
    files = ALL | GRUB | {"/etc/fstab": "/dev/sda1 / ext4 defaults 0 1\n"}
    found = store(files, BLOCKS, Refusals(), mover=Mover.VIRT_V2V)
    assert found.get(ConvertedMenu) == ConvertedMenu()
    assert not found.get(ConvertedMenu).rewritten


def test_windows_gets_a_fallback_loader_and_a_newer_debian_none() -> None:
    windows = OsInfo("windows", "windows", "windows", "Windows 10", "10.0", "x86_64")
    assert store({}, windows, CONVERTS).get(ConvertedLoader).fallback
    assert not store({}, windows, Refusals()).get(ConvertedLoader).fallback
    assert not store(ALL, BLOCKS, linux("debian", "debian", "13"), CONVERTS).get(ConvertedLoader).fallback


@pytest.mark.parametrize(
    ("os", "kinds", "mount", "copied"),
    [
        (linux("debian", "debian", "12"), ("grub", "shim"), "/boot/efi", True),
        (linux("ubuntu", "debian", "14.04"), ("grub", "shim"), "/boot/efi", True),
        (linux("debian", "debian", "12"), ("grub",), "/boot/efi", False),
        (linux("centos", "rhel", "6"), ("grub",), "/boot/efi", True),
        (linux("centos", "rhel", "6"), ("shim",), "/boot/efi", False),
        (linux("debian", "debian", "12"), ("grub", "shim"), "/efi", False),
        (dataclasses.replace(DEBIAN, arch="aarch64"), ("grub", "shim"), "/boot/efi", False),
        (dataclasses.replace(DEBIAN, arch="i386"), ("grub", "shim"), "/boot/efi", True),
    ],
)
def test_the_fallback_loader_that_it_copies(os: OsInfo, kinds: tuple[str, ...], mount: str, copied: bool) -> None:
    efi = Efi(mount, "disk1p1", tuple(EfiImage(f"{mount}/EFI/x/{kind}.efi", kind, "x64", 1) for kind in kinds))
    assert store({}, os, efi, CONVERTS).get(ConvertedLoader).fallback is copied
