"""The menu GRUB 2 builds: conditions, variables, submenus, grubenv, BLS entries, and which entry boots."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2vlint.facts.boot_entry import BootMenu
from v2vlint.facts.grub_cfg import grub_menu
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.memory import MemoryFileSystem, memory_guest
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.rule import Link

CFG = "/boot/grub/grub.cfg"
HEADER = """
if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="%s"
fi
if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
function load_video {
  if [ x$feature_all_video_module = xy ]; then insmod all_video; else insmod vga; fi
}
if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
   font="/usr/share/grub/unicode.pf2"
fi
if loadfont $font ; then
  set gfxmode=auto
fi
if [ "${recordfail}" = 1 ] ; then
  set timeout=30
fi
"""
ENTRY = """menuentry 'Debian {0}' --class debian $menuentry_id_option 'debian-{0}' {{
  load_video
  if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
  set root='hd0,msdos1'
  if [ x$feature_platform_search_hint = xy ]; then
    search --no-floppy --fs-uuid --set=root --hint-bios=hd0,msdos1 aaaa-1111
  else
    search --no-floppy --fs-uuid --set=root aaaa-1111
  fi
  echo  'Loading Linux ...'
  linux  /boot/vmlinuz-{0} root=UUID=aaaa-1111 ro  quiet
  initrd  /boot/initrd.img-{0}
}}
"""
FIRMWARE_SETUP = """if [ "$grub_platform" = "efi" ]; then
  menuentry 'UEFI Firmware Settings' $menuentry_id_option 'uefi-firmware' {
    fwsetup
  }
fi
"""
SUBMENU = "submenu 'Advanced' $menuentry_id_option 'advanced' {{\n{0}}}\n"
FULL = HEADER + ENTRY.format("6.1.0") + SUBMENU + FIRMWARE_SETUP


def config(default: str = "0") -> str:
    """A grub.cfg as Debian's generator lays it out: one entry and a submenu of two."""
    return HEADER % default + ENTRY.format("6.1.0") + SUBMENU.format(ENTRY.format("6.1.0") + ENTRY.format("5.10.0")) + FIRMWARE_SETUP


def menu(files: Mapping[str, str | bytes | Link], path: str = CFG, firmware: str = "bios", blocks: BlockTable | None = None) -> BootMenu:
    """The menu of an in-memory guest."""
    return grub_menu(memory_guest(files), blocks or BlockTable(), path, firmware)


def grubenv(**values: str) -> str:
    """An environment block."""
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    return f"# GRUB Environment Block\n{lines}".ljust(1024, "#")


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
    found = grub_menu(GuestFS({"/": root, "/boot": boot}), BlockTable(), "/boot/grub2/grub.cfg", "bios")
    assert found.entries[0].kernel == "/boot/vmlinuz-6.1.0"
    assert found.entries[0].initrds == ("/boot/initrd.img",)


def test_entries_of_another_system_are_foreign() -> None:
    other = BlockDevice("disk1p3", "partition", 1, 0, 3, "ext4", "cccc-3333")
    own = MemoryFileSystem({CFG: "menuentry o {\n search --fs-uuid --set=root cccc-3333\n linux /boot/vmlinuz-9\n}\n"}, "ext4", "aaaa-1111")
    found = grub_menu(GuestFS({"/": own}), BlockTable((other,)), CFG, "bios")
    assert found.entries[0].foreign
    assert found.entries[0].kernel == "/boot/vmlinuz-9"


def test_a_search_that_finds_nothing_leaves_root_alone() -> None:
    disk = BlockDevice("disk1p1", "partition", 1, 0, 1, "ext4", "aaaa-1111")
    text = "set root='hd0,msdos1'\nsearch --fs-uuid --set=root dead\nmenuentry x {\n linux /vmlinuz-6.1.0\n}\n"
    own = MemoryFileSystem({CFG: text, "/vmlinuz-6.1.0": b"k"}, "ext4", "aaaa-1111")
    assert grub_menu(GuestFS({"/": own}), BlockTable((disk,)), CFG, "bios").entries[0].kernel == "/vmlinuz-6.1.0"


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


def test_an_empty_configuration() -> None:
    found = menu({CFG: "# nothing\n"})
    assert (found.entries, found.default, found.default_reason) == ((), None, f"{CFG} has no entries")


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("[ -f /there ]", True), ("[ -e /gone ]", False), ("[ -d /boot ]", True), ("[ -s /empty ]", False), ("[ ! -f /gone ]", True),
        ("[ a = a -a b != c ]", True), ("[ a = b -o b = b ]", True), ("[ ( a = b ) -o ( c = c ) ]", True), ("[ -n '' ]", False),
        ("[ -z '' ]", True), ("[ 2 -gt 1 ]", True), ("[ 2 -lt 1 ]", False), ("[ '' ]", False), ("[ x ]", True), ("[ a < b ]", True),
        ("test a = a", True), ("true", True), ("false", False), ("[ ]", False), ("[ ( a = a ]", True),
    ],
)  # fmt: skip
def test_conditions(condition: str, taken: bool) -> None:
    text = f"if {condition}; then\nset default=1\nelse\nset default=0\nfi\n" + ENTRY.format("1.0") + ENTRY.format("2.0")
    found = menu({CFG: text, "/there": "x", "/empty": ""})
    assert found.default is found.entries[int(taken)]


@pytest.mark.parametrize(
    "condition", ["[ $grub_cpu = i386 ]", "[ x -gt 1 ]", "[ -f $cmdpath/x ]", "[ ! $grub_cpu = x ]", "probe -u $root", "[ -z $grub_cpu ]"]
)
def test_undecided_conditions(condition: str) -> None:
    text = f"if {condition}; then\nset default=1\nelse\nset default=0\nfi\n" + ENTRY.format("1.0") + ENTRY.format("2.0")
    assert menu({CFG: text}, firmware="").default is None


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("search --label --set=root data\n", "/data"),
        ("search --file --set=root /data-only\n", "/data"),
        ("search.fs_label data root\n", "/data"),
        ("search -l data --set=dev\nset root=$dev\n", "/data"),
    ],
)
def test_searching(text: str, device: str) -> None:
    system = MemoryFileSystem({CFG: text + "menuentry x {\n linux /k\n}\n"}, "ext4", "aaaa", "system")
    data = MemoryFileSystem({"/k": b"k", "/data-only": b""}, "ext4", "bbbb", "data")
    found = grub_menu(GuestFS({"/": system, "/data": data}), BlockTable(), CFG, "bios")
    assert found.entries[0].kernel == f"{device}/k"


def test_variables_that_probe_sets_are_unknown() -> None:
    text = "probe --set=u --fs-uuid $root\nregexp --set=1:v '(.*)' x\nset default=$v\n" + ENTRY.format("1.0")
    assert menu({CFG: text}).default_reason == "the default depends on the machine"


def test_loops_and_unset() -> None:
    loops = "for k in 1.0 2.0; do menuentry $k { linux /boot/vmlinuz-$k }; done\nwhile x; do set default=1; break; done\n"
    found = menu({CFG: "set default=1\nunset default\n" + loops})
    assert [entry.title for entry in found.entries] == ["1.0", "2.0"]
    assert found.default_reason == "the default depends on the machine"


@pytest.mark.parametrize(
    "text",
    [
        "set a=xxxxxxxx\n" + "set a=$a$a\n" * 60,
        "set a='x x x x'\n" + 'set a="$a $a"\n' * 60 + "echo " + "$a " * 1000 + "\n",
    ],
)
def test_growing_values_are_cut(text: str) -> None:
    assert menu({CFG: text + ENTRY.format("1.0")}).entries


def test_menus_without_end_are_cut() -> None:
    assert len(menu({CFG: "menuentry a { linux /k; }\n" * 1001 + "echo " + "x" * 70_000 + "'y'\n"}).entries) == 1000


def test_a_script_that_goes_on_and_on_is_unknowable() -> None:
    text = "function f { echo " + "x " * 1000 + "; }\n" + "f\n" * 5000
    with pytest.raises(FactUnavailable, match="takes more than 100000 steps"):
        menu({CFG: text + ENTRY.format("1.0")})


def test_environment_blocks_by_name_and_menu_ids() -> None:
    env = {"/boot/grub/other": grubenv(default="two", path="C:\\\\x") + "#\nnothing\n", "/boot/grub/third": grubenv()}
    text = "load_env -f /boot/grub/other\nload_env --file=/boot/grub/third\nload_env --file /boot/grub/gone\n"
    entries = "menuentry one {\n linux /k\n}\nmenuentry two --id=two --hotkey=x --class a {\n linux /k path=$path\n}\n"
    found = menu({CFG: text + entries, **env})
    assert found.default is not None
    assert (found.default.id, str(found.default.args[0])) == ("two", "path=C:\\x")


def test_unknown_names_are_not_followed() -> None:
    text = "source $cmdpath/x\nsearch --set=root\nsearch --fs-uuid --set=root $grub_cpu\n"
    found = menu({CFG: text + "set d='  a  b '\necho x$d y\n" + ENTRY.format("1.0")})
    assert found.entries


def test_a_default_that_is_an_empty_submenu() -> None:
    assert menu({CFG: "submenu x {\n}\n"}).default_reason == "default=0, a submenu without entries"


def test_functions_that_call_each_other_end() -> None:
    text = "function a { b; b; }\nfunction b { c; c; }\nfunction c { a; a; }\na\n" + ENTRY.format("1.0")
    with pytest.raises(FactUnavailable, match="steps"):
        menu({CFG: text})


@given(st.binary(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_survived(data: bytes) -> None:
    menu({CFG: b"menuentry x {\n" + data, "/boot/grub/grubenv": data})


@given(
    st.lists(
        st.sampled_from(
            ["if", "[", "]", "then", "fi", "else", "menuentry", "x", "{", "}", "\n", ";", "set", "a=b", "$a", "submenu", "linux"]
        )
    )
)
@settings(max_examples=200, deadline=None)
def test_any_words_are_survived(words: list[str]) -> None:
    menu({CFG: " ".join(words)})
