"""Configurations as distributions write them: each leads from its first file to the kernel that boots.

Fedora CoreOS: coreos-assembler ``src/grub.cfg`` and bootupd ``src/grub2/grub-static-efi.cfg``; Photon OS: ``installer/boot/grub.cfg``;
openSUSE: ``grub2-install`` with the patch for subvolumes.
"""

from __future__ import annotations

import pytest

from v2vlint.facts.boot.grub.cfg import grub_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.rule import Hive, Link
from v2vlint.samples.memory import MemoryFileSystem

COREOS = """
if [ -e (md/md-boot) ]; then
  set prefix=md/md-boot
else
  if [ -f ${config_directory}/bootuuid.cfg ]; then
    source ${config_directory}/bootuuid.cfg
  fi
  if [ -n "${BOOT_UUID}" ]; then
    search --fs-uuid "${BOOT_UUID}" --set prefix --no-floppy
  else
    search --label boot --set prefix --no-floppy
  fi
fi
if [ -d ($prefix)/grub2 ]; then
  set prefix=($prefix)/grub2
  configfile $prefix/grub.cfg
else
  set prefix=($prefix)/boot/grub2
  configfile $prefix/grub.cfg
fi
boot
"""
STATIC = """
if [ -f ${config_directory}/console.cfg ]; then
  source ${config_directory}/console.cfg
fi
search --set=root --label boot --no-floppy
set boot=$root
set default="0"
blscfg
"""
OSTREE = """title Fedora CoreOS (ostree:0)
version 1
linux /ostree/fcos-0a/vmlinuz-6.9
initrd /ostree/fcos-0a/i.img
options ostree=/ostree/boot.1/x
"""
PHOTON = """
set default=0
set timeout=5
search -n -u aaaa -s
loadfont /boot/grub2/fonts/ascii.pf2
load_env -f /boot/photon.cfg
if [ -f /boot/systemd.cfg ]; then
    load_env -f /boot/systemd.cfg
else
    set systemd_cmdline=net.ifnames=0
fi
set rootpartition=PARTUUID=0a3f
menuentry "Photon" {
    linux /boot/$photon_linux root=$rootpartition $photon_cmdline $systemd_cmdline
    if [ -f /boot/$photon_initrd ]; then
        initrd /boot/$photon_initrd
    fi
}
"""
PHOTON_ENV = (
    "# GRUB Environment Block\nphoton_cmdline=init=/lib/systemd/systemd ro\nphoton_linux=vmlinuz-6.1\nphoton_initrd=initrd.img-6.1\n"
)
Files = dict[str, str | bytes | Link | Hive]
FILES: dict[str, tuple[Files, Files, Files, str]] = {
    "coreos": (
        {"/ostree/x": ""},
        {
            "/loader": Link("loader.1"),
            "/loader.1/entries/ostree-1.conf": OSTREE,
            "/grub2/grub.cfg": STATIC,
            "/ostree/fcos-0a/vmlinuz-6.9": b"k",
            "/ostree/fcos-0a/i.img": b"i",
        },
        {"/EFI/fedora/grub.cfg": COREOS},
        "/boot/efi/EFI/fedora/grub.cfg",
    ),
    "photon": (
        {"/boot/grub2/grub.cfg": PHOTON, "/boot/photon.cfg": PHOTON_ENV, "/boot/vmlinuz-6.1": b"k", "/boot/initrd.img-6.1": b"i"},
        {},
        {},
        "/boot/grub2/grub.cfg",
    ),
}


@pytest.mark.parametrize(
    ("name", "kernel", "initrd", "argument"),
    [
        ("coreos", "/boot/ostree/fcos-0a/vmlinuz-6.9", "/boot/ostree/fcos-0a/i.img", "ostree=/ostree/boot.1/x"),
        ("photon", "/boot/vmlinuz-6.1", "/boot/initrd.img-6.1", "net.ifnames=0"),
    ],
)
def test_the_first_file_leads_to_the_kernel(name: str, kernel: str, initrd: str, argument: str) -> None:
    root, boot, esp, path = FILES[name]
    mounts = {"/": MemoryFileSystem({"/boot/efi/.keep": "", **root}, "xfs", "aaaa", "root")}
    if boot:
        mounts["/boot"] = MemoryFileSystem({"/efi/.keep": "", **boot}, "ext4", "bbbb", "boot")
        mounts["/boot/efi"] = MemoryFileSystem(esp, "vfat", "E5E5-0001", "EFI-SYSTEM")
    blocks = BlockTable(
        tuple(BlockDevice(f"disk1p{n}", "partition", 1, 0, n, s.type, s.uuid, s.label) for n, s in enumerate(mounts.values(), 1))
    )
    menu = grub_menu(GrubFiles(GuestFS(mounts), blocks, patched=True), path, GrubProgram("uefi", "x86_64", "rhel"))
    assert menu.default is not None, menu
    assert (menu.default.kernel, menu.default.initrds) == (kernel, (initrd,))
    assert argument in map(str, menu.default.args)
    assert not menu.default.conditional
    assert not menu.default.unknown_command


@pytest.mark.parametrize(
    ("level", "version", "exists"),
    [("raid1", "0.90", True), ("raid1", "1.0", True), ("raid1", "1.1", False), ("raid1", "1.2", False), ("raid5", "0.90", False)],
)
def test_members_of_arrays_without_raid(level: str, version: str, exists: bool) -> None:
    """GRUB legacy sees the filesystem at the start of a mirror's member, else "Error 17" (its shell says the same of such disks)."""
    facts = (("level", level), ("md_version", version))
    disks = [BlockDevice(f"disk{one + 1}", "disk", 9, one) for one in range(2)]
    parts = [BlockDevice(f"{one.name}p1", "partition", 9, one.disk, 1, "linux_raid_member", details=facts) for one in disks]
    array = BlockDevice("md/0", "md", 8, 0, fs_type="ext3", uuid="aaaa", parents=tuple(one.name for one in parts), details=facts)
    files = GrubFiles(GuestFS({"/": MemoryFileSystem({"/k": b""}, "ext3", "aaaa")}), BlockTable((*disks, *parts, array)))
    assert files.locate("/k", "hd0,1").exists is exists
    assert not files.locate("/k", "hd0,2").exists, "Error 22: No such partition"


FLATCAR = """
set default=flatcar
search --no-floppy --set oem --part-label OEM --hint hd0,gpt1
if [ -n "$oem" ]; then set linux_append=oem; fi
menuentry "Flatcar default" --id=flatcar --unrestricted {
    gptprio.next -d usr -u usr_uuid
    if [ "$usr_uuid" = "a-uuid" ]; then
        linux /flatcar/vmlinuz-a mount.usr=PARTUUID=$usr_uuid $linux_append
    else
        linux /flatcar/vmlinuz-b mount.usr=PARTUUID=$usr_uuid $linux_append
    fi
}
"""
USR = "5dfbf5f4-2848-4bac-aa5e-0d9a20b745a6"


def flatcar(*priorities: str, complete: bool = True, kind: str = USR, label: str = "OEM") -> tuple[str, list[str]]:
    """The kernel and the arguments that Flatcar's GRUB takes with these boot priorities of USR-A and USR-B."""
    esp = BlockDevice("disk1p1", "partition", 9, 0, 1, "vfat", "E5E5-0001")
    usr = [
        BlockDevice(f"disk1p{3 + at}", "partition", 9, 0, 3 + at, part_uuid=f"{'ab'[at]}-uuid", part_type=kind, details=details)
        for at, one in enumerate(priorities)
        for details in [(("boot_priority", one),) if one else ()]
    ]
    oem = BlockDevice("disk1p6", "partition", 9, 0, 6, "ext4", "cccc", part_label=label)
    blocks = BlockTable((BlockDevice("disk1", "disk", 9, 0, details=(("pt", "gpt"),)), esp, *usr, oem), complete=complete)
    files: dict[str, str | bytes | Link | Hive] = {"/boot/grub/grub.cfg": FLATCAR, "/flatcar/vmlinuz-a": b"k", "/flatcar/vmlinuz-b": b"k"}
    guest = GuestFS({"/": MemoryFileSystem({}, "ext4", "aaaa"), "/boot": MemoryFileSystem(files, "vfat", "E5E5-0001")})
    menu = grub_menu(GrubFiles(guest, blocks), "/boot/boot/grub/grub.cfg", GrubProgram("uefi", "x86_64"))
    if menu.default is None:
        return menu.default_reason, []
    return menu.default.kernel, [str(arg) for arg in menu.default.args]


def test_flatcar_takes_the_one_of_a_and_b_that_comes_next() -> None:
    """The first of those with the highest priority that have tries left or were successful (``grub_find_next`` of gptprio.c)."""
    a, b = (("/boot/flatcar/vmlinuz-" + one, [f"mount.usr=PARTUUID={one}-uuid", "oem"]) for one in "ab")
    assert [flatcar(*one) for one in (("1", ""), ("2", "1"), ("1", "1"), ("1", "2"), ("", "1"))] == [a, a, a, b, b]
    assert flatcar("1", label="")[1] == [a[1][0]], "no partition OEM"
    for unknown in (flatcar("1", complete=False), flatcar("1", "", complete=False)):
        assert "depends on the machine" in unknown[0]
    # The command fails, and its variables stay unset.
    assert flatcar("", "")[1][0] == flatcar("1", kind="0fc63daf-8483-4772-8e79-3d69d8477de4")[1][0] == "mount.usr=PARTUUID="
