"""The menu GRUB 2 builds: entries, submenus, grubenv, BLS entries, paths, and which entry boots."""

from __future__ import annotations

import pytest

from tests.facts.boot.grub.grub_samples import CFG, ENTRY, FIRMWARE_SETUP, HEADER, config, grubenv, menu
from v2vlint.facts.boot.grub.cfg import grub_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.samples.memory import MemoryFileSystem


def test_a_generated_configuration() -> None:
    found = menu({CFG: config(), "/boot/vmlinuz-6.1.0": b"k", "/boot/initrd.img-6.1.0": b"i"})
    assert [(entry.position, entry.id) for entry in found.entries] == [
        ("0", "debian-6.1.0"),
        ("1>0", "debian-6.1.0"),
        ("1>1", "debian-5.10.0"),
    ]
    first = found.entries[0]
    assert (first.kernel, first.initrds, first.version) == ("/boot/vmlinuz-6.1.0", ("/boot/initrd.img-6.1.0",), "6.1.0")
    assert [str(arg) for arg in first.args] == ["root=UUID=aaaa-1111", "ro", "quiet"]
    assert first.root is not None
    assert first.root.value_at is not None
    assert first.root.value_at.value == "UUID=aaaa-1111"
    assert first.where.path == CFG  # type: ignore[union-attr]
    assert not found.malformed
    assert found.default is first


@pytest.mark.parametrize(
    ("default", "position", "reason"),
    [
        ("0", "0", "default=0 (/boot/grub/grub.cfg)"),
        ("1>1", "1>1", "default=1>1 (/boot/grub/grub.cfg)"),
        ("1", "1>0", "default=1 (/boot/grub/grub.cfg)"),
        ("advanced>debian-5.10.0", "1>1", "default=advanced>debian-5.10.0 (/boot/grub/grub.cfg)"),
        ("Advanced>Debian 5.10.0", "1>1", "default=Advanced>Debian 5.10.0 (/boot/grub/grub.cfg)"),
        ("Debian 6.1.0", "0", "default=Debian 6.1.0 (/boot/grub/grub.cfg)"),
        ("gone", "0", "default=gone (/boot/grub/grub.cfg) names no entry, so the first is taken"),
        ("7", "0", "default=7 (/boot/grub/grub.cfg) names no entry, so the first is taken"),
        ("", "0", "default=0"),
    ],
)
def test_the_default(default: str, position: str, reason: str) -> None:
    found = menu({CFG: config(default)})
    assert found.default is not None
    assert found.default.position == position
    assert found.default_reason == reason


@pytest.mark.parametrize(
    ("env", "position"),
    [
        ({"saved_entry": "advanced>debian-5.10.0"}, "1>1"),
        ({"saved_entry": "0", "next_entry": "1>1"}, "1>1"),
        ({"saved_entry": ""}, "0"),
        ({}, "0"),
    ],
)
def test_saved_and_next_entries(env: dict[str, str], position: str) -> None:
    found = menu({CFG: config("${saved_entry}"), "/boot/grub/grubenv": grubenv(**env)})
    assert found.default is not None
    assert found.default.position == position
    assert "/boot/grub/grubenv" in found.files


def test_a_damaged_environment_block_sets_nothing() -> None:
    found = menu({CFG: config("${saved_entry}"), "/boot/grub/grubenv": "saved_entry=1\n"})
    assert found.default is found.entries[0]


def test_a_default_that_depends_on_the_machine_is_undecidable() -> None:
    found = menu({CFG: "if cmostest 1:2; then set default=1; else set default=0; fi\n" + ENTRY.format("1.0") + ENTRY.format("2.0")})
    assert found.default is None
    assert found.default_reason == "the default depends on the machine"


def test_the_same_default_on_both_ways_is_decided() -> None:
    found = menu({CFG: "set default=1\nif sleep 1; then set x=1; fi\n" + ENTRY.format("1.0") + ENTRY.format("2.0")})
    assert found.default is found.entries[1]


def test_an_entry_behind_an_unknown_condition_is_conditional() -> None:
    text = "if keystatus --shift; then\n" + ENTRY.format("1.0") + "fi\n" + ENTRY.format("2.0")
    found = menu({CFG: text})
    assert [entry.conditional for entry in found.entries] == [True, False]
    assert found.default is None
    assert "depends on the machine" in found.default_reason


@pytest.mark.parametrize(("firmware", "count"), [("bios", 1), ("uefi", 2), ("", 2)])
def test_the_platform_decides_entries(firmware: str, count: int) -> None:
    found = menu({CFG: ENTRY.format("1.0") + FIRMWARE_SETUP}, firmware=firmware)
    assert len(found.entries) == count


def test_paths_on_a_boot_partition_are_below_boot() -> None:
    text = "search --fs-uuid --set=root bbbb-2222\nmenuentry x {\n linux /vmlinuz-6.1.0 root=/dev/vg/root\n initrd ($root)/initrd.img\n}\n"
    root, boot = MemoryFileSystem({"/etc/fstab": ""}, "xfs", "aaaa-1111"), MemoryFileSystem({}, "ext4", "bbbb-2222")
    boot._add("/grub2/grub.cfg", text.encode())
    boot._add("/vmlinuz-6.1.0", b"k")
    boot._add("/initrd.img", b"i")
    found = grub_menu(GrubFiles(GuestFS({"/": root, "/boot": boot}), BlockTable()), "/boot/grub2/grub.cfg", GrubProgram("bios"))
    assert found.entries[0].kernel == "/boot/vmlinuz-6.1.0"
    assert found.entries[0].initrds == ("/boot/initrd.img",)


def test_entries_of_another_system_are_foreign() -> None:
    other = BlockDevice("disk1p3", "partition", 1, 0, 3, "ext4", "cccc-3333")
    own = MemoryFileSystem({CFG: "menuentry o {\n search --fs-uuid --set=root cccc-3333\n linux /boot/vmlinuz-9\n}\n"}, "ext4", "aaaa-1111")
    found = grub_menu(GrubFiles(GuestFS({"/": own}), BlockTable((other,))), CFG, GrubProgram("bios"))
    assert found.entries[0].foreign
    assert found.entries[0].kernel == "/boot/vmlinuz-9"


def test_a_search_that_finds_nothing_leaves_root_alone() -> None:
    disk = BlockDevice("disk1p1", "partition", 1, 0, 1, "ext4", "aaaa-1111")
    text = "set root='hd0,msdos1'\nsearch --fs-uuid --set=root dead\nmenuentry x {\n linux /vmlinuz-6.1.0\n}\n"
    own = MemoryFileSystem({CFG: text, "/vmlinuz-6.1.0": b"k"}, "ext4", "aaaa-1111")
    assert grub_menu(GrubFiles(GuestFS({"/": own}), BlockTable((disk,))), CFG, GrubProgram("bios")).entries[0].kernel == "/vmlinuz-6.1.0"


def test_btrfs_paths_lose_their_subvolume() -> None:
    found = menu({CFG: "menuentry x {\n linux /@/boot/vmlinuz-6.1.0\n}\n", "/boot/vmlinuz-6.1.0": b"k"})
    assert found.entries[0].kernel == "/boot/vmlinuz-6.1.0"


def test_a_stub_leads_to_the_real_configuration() -> None:
    stub = "search.fs_uuid aaaa-1111 root hd0,gpt2\nset prefix=($root)'/boot/grub'\nconfigfile $prefix/grub.cfg\n"
    found = menu({"/boot/efi/EFI/debian/grub.cfg": stub, CFG: config()}, "/boot/efi/EFI/debian/grub.cfg", "uefi")
    assert found.config.path == CFG
    assert len(found.entries) == 4
    assert found.files[:2] == (CFG, "/boot/efi/EFI/debian/grub.cfg")


def test_custom_files_are_included() -> None:
    text = (
        HEADER % "0"
        + ENTRY.format("1.0")
        + "if [ -f  ${config_directory}/custom.cfg ]; then\n  source ${config_directory}/custom.cfg\nfi\n"
    )
    found = menu({CFG: text, "/boot/grub/custom.cfg": "set default=1\n" + ENTRY.format("2.0")})
    assert found.default is not None
    assert found.default.id == "debian-2.0"


def test_files_that_include_themselves_end() -> None:
    assert menu({CFG: f"source {CFG}\nconfigfile {CFG}\n" + ENTRY.format("1.0")}).entries


MACHINE = "6a" * 16
BLS = {
    f"/boot/loader/entries/{MACHINE}-5.14.0-70.el9.x86_64.conf": "title old\nversion 5.14.0-70\nlinux /vmlinuz-5.14.0-70.el9.x86_64\n"
    "initrd /initramfs-5.14.0-70.img $tuned_initrd\noptions $kernelopts $tuned_params\n",
    f"/boot/loader/entries/{MACHINE}-5.14.0-362.el9.x86_64.conf": "title new\nlinux /vmlinuz-5.14.0-362.el9.x86_64\n"
    "initrd /initramfs-5.14.0-362.img\noptions root=/dev/mapper/rhel-root ro\n",
    f"/boot/loader/entries/{MACHINE}-0-rescue.conf": "title rescue\nlinux /vmlinuz-0-rescue-x\ninitrd /initramfs-0-rescue-x.img\n",
    "/boot/loader/entries/no-kernel.conf": "title nothing\n",
}
RED_HAT = """load_env
set default="${saved_entry}"
if [ -z "${kernelopts}" ]; then
  set kernelopts="root=/dev/sda9 ro"
fi
insmod blscfg
blscfg
"""


def test_bls_entries_newest_first() -> None:
    kernels = {"/boot/vmlinuz-5.14.0-70.el9.x86_64": b"k"}
    found = menu({"/boot/grub2/grub.cfg": RED_HAT, **BLS, **kernels}, "/boot/grub2/grub.cfg")
    assert [entry.title for entry in found.entries] == ["new", "old", "rescue"]
    assert found.default is found.entries[0]
    assert found.entries[1].kernel == "/boot/vmlinuz-5.14.0-70.el9.x86_64"
    assert found.entries[1].initrds == ("/initramfs-5.14.0-70.img",)
    assert found.entries[1].version == "5.14.0-70.el9.x86_64"
    assert found.entries[2].is_rescue


def test_kernelopts_come_from_the_environment_block() -> None:
    env = grubenv(saved_entry=f"{MACHINE}-5.14.0-70.el9.x86_64", kernelopts="root=/dev/sda3 ro", tuned_params="quiet")
    found = menu({"/boot/grub2/grub.cfg": RED_HAT, "/boot/grub2/grubenv": env, **BLS}, "/boot/grub2/grub.cfg")
    assert found.default is not None
    assert [str(arg) for arg in found.default.args] == ["root=/dev/sda3", "ro", "quiet"]
    assert found.default.root is not None
    assert str(found.default.root.where) == "/boot/grub2/grubenv:3:12"


def test_kernelopts_fall_back_to_the_configuration() -> None:
    found = menu({"/boot/grub2/grub.cfg": RED_HAT, **BLS}, "/boot/grub2/grub.cfg")
    assert found.entries[1].root is not None
    assert str(found.entries[1].root.where) == "/boot/grub2/grub.cfg:4:19"


def test_blsdir_and_early_entries() -> None:
    text = "set default_kernelopts='root=/dev/sdb1'\nset blsdir=/boot/other\nblscfg default\nblscfg\n"
    found = menu({CFG: text, "/boot/other/a-1.conf": "linux /vmlinuz-1.0\n"})
    assert [entry.title for entry in found.entries] == ["/vmlinuz-1.0"]
    assert str(found.entries[0].root) == "root=/dev/sdb1"


@pytest.mark.parametrize(
    ("body", "kernel", "initrds"),
    [
        (
            " multiboot2 /boot/xen.gz dom0_mem=1G\n module2 /boot/vmlinuz-6 root=/dev/sda1\n module2 --nounzip /boot/i\n",
            "/boot/vmlinuz-6",
            ("/boot/i",),
        ),
        (" linux16 /boot/vmlinuz-6 root=/dev/sda1\n initrd16 /boot/ucode /boot/i\n", "/boot/vmlinuz-6", ("/boot/ucode", "/boot/i")),
        (" linuxefi /boot/vmlinuz-6 root=/dev/sda1\n initrdefi /boot/i\n", "/boot/vmlinuz-6", ("/boot/i",)),
        (" set k=/boot/vmlinuz-6\n set p='root=/dev/sda1 ro'\n linux $k $p\n initrd\n", "/boot/vmlinuz-6", ()),
    ],
)
def test_ways_to_load_a_kernel(body: str, kernel: str, initrds: tuple[str, ...]) -> None:
    (entry,) = menu({CFG: "menuentry x {\n" + body + "}\n"}).entries
    assert (entry.kernel, entry.initrds, str(entry.root)) == (kernel, initrds, "root=/dev/sda1")


def test_chainloading_has_no_kernel() -> None:
    (entry,) = menu({CFG: "menuentry 'Windows' {\n chainloader (hd0,1)/EFI/Microsoft/Boot/bootmgfw.efi\n}\n"}).entries
    assert (entry.kernel, entry.chainload) == ("", "(hd0,1)/EFI/Microsoft/Boot/bootmgfw.efi")


def test_a_configuration_without_a_menu() -> None:
    found = menu({CFG: "linux /boot/vmlinuz-6.1.0 root=/dev/sda1\ninitrd /boot/i\nboot\n"})
    assert found.default is not None
    assert found.default.initrds == ("/boot/i",)


@pytest.mark.parametrize("text", ["linux /boot/vmlinuz-6.1.0 root=/dev/sda1\n", "chainloader (hd0,1)+1\n"])
def test_what_is_loaded_outside_of_an_entry_is_started_by_boot_only(text: str) -> None:
    for end, stops in (("", f"{CFG} loads a system and does not run `boot`"), ("boot\n", "")):
        system = MemoryFileSystem({CFG: f"{text}{end}", "/boot/vmlinuz-6.1.0": b"k"}, "ext4", "aaaa")
        own = BlockDevice("disk1p1", "partition", 1, 0, 1, "ext4", "aaaa")
        files = GrubFiles(GuestFS({"/": system}), BlockTable((BlockDevice("disk1", "disk", 1, 0), own)))
        found = grub_menu(files, CFG, GrubProgram("bios"))
        assert (found.stops, found.default is None) == (stops, bool(stops) or "chainloader" in text)


@pytest.mark.parametrize(
    ("body", "kernel", "initrds"),
    [
        ("initrd /boot/i\n linux /boot/k\n", "/boot/k", ()),
        ("linux /boot/old\n initrd /boot/i\n linux /boot/k\n", "/boot/k", ()),
        ("chainloader /boot/old\n linux /boot/k\n initrd /boot/i\n", "/boot/k", ("/boot/i",)),
        ("linux /boot/k\n initrd /boot/i /boot/j\n", "/boot/k", ("/boot/i", "/boot/j")),
    ],
)
def test_the_last_kernel_counts_with_what_is_loaded_for_it(body: str, kernel: str, initrds: tuple[str, ...]) -> None:
    (entry,) = menu({CFG: f"menuentry x {{\n {body}}}\n", "/boot/k": b"k", "/boot/old": b"k", "/boot/i": b"i", "/boot/j": b"j"}).entries
    assert (entry.kernel, entry.initrds, entry.chainload) == (kernel, initrds, "")


def test_an_empty_configuration() -> None:
    found = menu({CFG: "# nothing\n"})
    assert (found.entries, found.default, found.default_reason) == ((), None, f"{CFG} has no entries")


def _two_disks(*more: BlockDevice) -> GrubFiles:
    own = BlockDevice("disk1p1", "partition", 1, 0, 1, "ext4", "aaaa")
    data = BlockDevice("disk2p1", "partition", 1, 1, 1, "ext4", "bbbb")
    disks = (BlockDevice("disk1", "disk", 1, 0), BlockDevice("disk2", "disk", 1, 1))
    mounts = {
        "/": MemoryFileSystem({"/vmlinuz": b"k", "/data/x": ""}, "ext4", "aaaa"),
        "/data": MemoryFileSystem({"/y": ""}, "ext4", "bbbb"),
    }
    return GrubFiles(GuestFS(mounts), BlockTable((*disks, own, data, *more)))


def test_the_numbers_of_several_disks_are_the_firmware_s() -> None:
    found = _two_disks().locate("/vmlinuz", "hd1,msdos1")
    assert (found.path, found.exists, found.certain) == ("/vmlinuz", True, False)
    assert _two_disks().locate("/y", "hd1,msdos1").certain
    assert not _two_disks().locate("/y", "uuid:aaaa").exists


def test_a_search_is_certain_where_grub_names_filesystems_as_blkid_does() -> None:
    assert _two_disks().search("uuid", "dead") == ("uuid:dead", False)
    assert _two_disks(BlockDevice("disk2p2", "partition", 1, 1, 2, "zfs_member", "77")).search("uuid", "dead") == ("uuid:dead", None)


@pytest.mark.parametrize("path", ["()/vmlinuz", "(md/none)/vmlinuz", "(lvm/vg-none)/vmlinuz"])
def test_a_device_that_is_not_there_is_not_guessed(path: str) -> None:
    found = _two_disks().locate(path, "hd0,msdos1")
    assert (found.exists, found.certain) == (False, True)


def test_a_path_begins_with_a_slash() -> None:
    for name in ("vmlinuz", "(hd0,msdos1)vmlinuz", ""):
        found = _two_disks().locate(name, "uuid:aaaa")
        assert (found.exists, found.certain) == (False, True)
    entry = menu({CFG: "menuentry x {\n linux boot/vmlinuz\n}\nmenuentry y {\n linux ${unset}/boot/vmlinuz\n}\n", "/boot/vmlinuz": b"k"})
    assert [one.kernel for one in entry.entries] == ["boot/vmlinuz", "/boot/vmlinuz"]


@pytest.mark.parametrize(
    ("table", "device", "exists", "certain"),
    [
        ("dos", "hd0,msdos1", True, True),
        ("dos", "hd0,1", True, True),
        ("dos", "hd0,gpt1", False, True),
        ("gpt", "hd0,gpt1", True, True),
        ("gpt", "hd0,msdos1", False, True),
        ("gpt", "hd0,gpt2", False, True),
        ("", "hd0,gpt1", True, True),
    ],
)
def test_a_partition_is_looked_for_in_the_table_that_is_named(table: str, device: str, exists: bool, certain: bool) -> None:
    disk = BlockDevice("disk1", "disk", 1, 0, details=(("pt", table),))
    own = BlockDevice("disk1p1", "partition", 1, 0, 1, "ext4", "aaaa")
    files = GrubFiles(GuestFS({"/": MemoryFileSystem({"/vmlinuz": b"k"}, "ext4", "aaaa")}), BlockTable((disk, own)))
    found = files.locate("/vmlinuz", device)
    assert (found.exists, found.certain) == (exists, certain)
