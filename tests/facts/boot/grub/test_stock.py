"""The whole grub.cfg that each distribution generates: what its default entry starts is certain.

Laid out as ``/etc/grub.d`` of Ubuntu 20.04 to 24.04, Linux Mint, Debian 12, Fedora, openSUSE, and KIWI's images do.
"""

from __future__ import annotations

import pytest

from tests.facts.boot.grub.grub_samples import CFG, ID_OPTION, LOAD_ENV, SAVED, SUBMENU, config, grubenv
from v2vlint.facts.boot.grub.cfg import grub_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.guest.fs import GuestFS
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.rule import Hive, Link
from v2vlint.samples.memory import MemoryFileSystem

SEARCH = """  set root='hd0,gpt2'
  if [ x$feature_platform_search_hint = xy ]; then
    search --no-floppy --fs-uuid --set=root --hint-bios=hd0,gpt2 --hint-efi=hd0,gpt2 --hint-baremetal=ahci0,gpt2  aaaa
  else
    search --no-floppy --fs-uuid --set=root aaaa
  fi
"""
VIDEO = f"""if [ "${{prev_saved_entry}}" ]; then
  set saved_entry="${{prev_saved_entry}}"
  save_env saved_entry
  set prev_saved_entry=
  save_env prev_saved_entry
  set boot_once=true
fi
function savedefault {{
  if [ -z "${{boot_once}}" ]; then
    saved_entry="${{chosen}}"
    save_env saved_entry
  fi
}}
function load_video {{
  if [ x$feature_all_video_module = xy ]; then
    insmod all_video
  else
    insmod efi_gop
    insmod vbe
  fi
}}
if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
insmod part_gpt
{SEARCH}
    font="/usr/share/grub/unicode.pf2"
fi
if loadfont $font ; then
  set gfxmode=auto
  load_video
  insmod gfxterm
  set locale_dir=$prefix/locale
  set lang=de_DE
  insmod gettext
fi
terminal_output gfxterm
if [ "${{recordfail}}" = 1 ] ; then
  set timeout=30
else
  if [ x$feature_timeout_style = xy ] ; then
    set timeout_style=hidden
    set timeout=0
  elif sleep --interruptible 0 ; then
    set timeout=0
  fi
fi
"""
INITRDFAIL = """if [ "${initrdfail}" = 2 ]; then
   set initrdfail=
elif [ "${initrdfail}" = 1 ]; then
   set next_entry="${prev_entry}"
   set prev_entry=
   save_env prev_entry
   if [ "${next_entry}" ]; then
      set initrdfail=2
   fi
fi
"""
UBUNTU_FUNCTIONS = """function initrdfail {
    if [ -n "${have_grubenv}" ]; then if [ -n "${partuuid}" ]; then
      if [ -z "${initrdfail}" ]; then
        set initrdfail=1
        if [ -n "${boot_once}" ]; then
          set prev_entry="${default}"
          save_env prev_entry
        fi
      fi
      save_env initrdfail
    fi; fi
}
function recordfail {
  set recordfail=1
  if [ -n "${have_grubenv}" ]; then if [ -z "${boot_once}" ]; then save_env recordfail; fi; fi
}
"""
GFXMODE = """function gfxmode {
	set gfxpayload="${1}"
	if [ "${1}" = "keep" ]; then
		set vt_handoff=vt.handoff=7
	else
		set vt_handoff=
	fi
}
if [ "${recordfail}" != 1 ]; then
  if [ -e ${prefix}/gfxblacklist.txt ]; then
    if [ ${grub_platform} != pc ]; then
      set linux_gfx_mode=keep
    elif hwmatch ${prefix}/gfxblacklist.txt 3; then
      if [ ${match} = 0 ]; then
        set linux_gfx_mode=keep
      else
        set linux_gfx_mode=text
      fi
    else
      set linux_gfx_mode=text
    fi
  else
    set linux_gfx_mode=keep
  fi
else
  set linux_gfx_mode=text
fi
export linux_gfx_mode
"""
UBUNTU_HEAD = f"""menuentry 'Ubuntu' --class ubuntu --class gnu-linux --class os $menuentry_id_option 'gnulinux-simple-aaaa' {{
  recordfail
  load_video
  gfxmode $linux_gfx_mode
  insmod gzio
  if [ x$grub_platform = xxen ]; then insmod xzio; insmod lzopio; fi
  insmod part_gpt
  insmod ext2
{SEARCH}"""
UBUNTU_ENTRY = UBUNTU_HEAD + "  linux /boot/vmlinuz root=UUID=aaaa ro  quiet splash $vt_handoff\n  initrd /boot/initrd.img\n}\n"
PARTUUID_ENTRY = (
    UBUNTU_HEAD
    + """  if [ "${initrdfail}" = 1 ]; then
    echo 'GRUB_FORCE_PARTUUID set, initrdless boot failed. Attempting with initrd.'
    linux /boot/vmlinuz root=PARTUUID=0a ro  quiet splash $vt_handoff
    initrd /boot/initrd.img
  else
    echo 'GRUB_FORCE_PARTUUID set, attempting initrdless boot.'
    linux /boot/vmlinuz root=PARTUUID=0a ro  quiet splash $vt_handoff panic=-1
  fi
  initrdfail
}
"""
)
CUSTOM = """if [ -f  ${config_directory}/custom.cfg ]; then
  source ${config_directory}/custom.cfg
elif [ -z "${config_directory}" -a -f  $prefix/custom.cfg ]; then
  source $prefix/custom.cfg
fi
"""
UBUNTU_HEADER = LOAD_ENV + INITRDFAIL + SAVED % 0 + ID_OPTION + UBUNTU_FUNCTIONS + VIDEO + GFXMODE
UBUNTU = UBUNTU_HEADER + UBUNTU_ENTRY + SUBMENU.format(UBUNTU_ENTRY) + CUSTOM
MINT = UBUNTU.replace("'Ubuntu'", "'Linux Mint 21.3 Cinnamon'").replace("--class ubuntu", "--class linuxmint --class ubuntu")
PARTUUID = UBUNTU_HEADER + "set partuuid=0a\n" + PARTUUID_ENTRY + SUBMENU.format(UBUNTU_ENTRY)
FEDORA = f"""set pager=1
if [ -f ${{config_directory}}/grubenv ]; then
  load_env -f ${{config_directory}}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
{SAVED % "${saved_entry}"}{ID_OPTION}{VIDEO}
if [ -f ${{prefix}}/user.cfg ]; then
  source ${{prefix}}/user.cfg
  if [ -n "${{GRUB2_PASSWORD}}" ]; then
    set superusers="root"
    export superusers
    password_pbkdf2 root ${{GRUB2_PASSWORD}}
  fi
fi
insmod increment
if [ -n "${{boot_counter}}" -a "${{boot_success}}" = "0" ]; then
  if  [ "${{boot_counter}}" = "0" -o "${{boot_counter}}" = "-1" ]; then
    set default=1
    set boot_counter=-1
  else
    decrement boot_counter
  fi
  save_env boot_counter
fi
insmod part_gpt
{SEARCH}
set boot=$root
if [ -z "${{kernelopts}}" ]; then
  set kernelopts="root=UUID=aaaa ro rhgb quiet "
fi
insmod blscfg
blscfg
if [ "${{boot_success}}" = "1" -o "${{boot_indeterminate}}" = "1" ]; then
  set menu_hide_ok=1
else
  set menu_hide_ok=0
fi
if [ "${{boot_success}}" = "1" ] ; then
  set boot_indeterminate=0
else
  increment boot_indeterminate
fi
set boot_success=0
save_env boot_success boot_indeterminate
if [ x$feature_timeout_style = xy ] ; then
  if [ "${{menu_show_once}}" ]; then
    unset menu_show_once
    save_env menu_show_once
  elif [ "${{menu_auto_hide}}" -a "${{menu_hide_ok}}" = "1" ]; then
    set orig_timeout=${{timeout}}
    if [ "${{fastboot}}" = "1" ]; then
      set timeout=0
    fi
  fi
fi
{CUSTOM}"""
SUSE = f"""set btrfs_relative_path="yes"
export btrfs_relative_path
if [ -f ${{config_directory}}/grubenv ]; then
  load_env -f ${{config_directory}}/grubenv
elif [ -s $prefix/grubenv ]; then
  load_env
fi
if [ "${{env_block}}" ] ; then
  set env_block="(${{root}})${{env_block}}"
  export env_block
  load_env -f "${{env_block}}"
fi
{SAVED % "${saved_entry}"}{ID_OPTION}{VIDEO}
if [ -n "${{extra_cmdline}}" ]; then
  menuentry "Bootable snapshot #${{snapshot_num}}" {{ true; }}
fi
menuentry 'openSUSE Leap 15.5'  --class opensuse --class gnu-linux --class os $menuentry_id_option 'gnulinux-simple-aaaa' {{
  load_video
  set gfxpayload=keep
  insmod gzio
  insmod part_gpt
  insmod ext2
{SEARCH}
  echo 'Loading Linux 5.14.21 ...'
  linux /boot/vmlinuz root=UUID=aaaa  ${{extra_cmdline}} splash=silent quiet security=apparmor
  echo 'Loading initial ramdisk ...'
  initrd /boot/initrd.img
}}
if [ -n "$have_grubenv" ]; then if [ -z "$boot_once" ]; then true; fi; fi
{CUSTOM}"""
ENV = {"boot_success": "0", "boot_indeterminate": "0", "saved_entry": "0a-6.9", "boot_counter": "2"}
FEDORA_ENTRY = "title Fedora\nversion 6.9\nlinux /boot/vmlinuz\ninitrd /boot/initrd.img\noptions $kernelopts\n"
BLS = {f"{folder}/loader/entries/0a-6.9.conf": FEDORA_ENTRY for folder in ("", "/boot")}
LIST = {"/boot/grub/gfxblacklist.txt": "v15ad\n"}


@pytest.mark.parametrize("firmware", ["bios", "uefi", ""])
@pytest.mark.parametrize(
    ("text", "more", "root"),
    [
        (UBUNTU, {}, "UUID=aaaa"), (UBUNTU, LIST, "UUID=aaaa"), (UBUNTU, LIST | {"/boot/grub/grubenv": grubenv()}, "UUID=aaaa"),
        (UBUNTU, LIST | {"/boot/grub/grubenv": grubenv(recordfail="1")}, "UUID=aaaa"), (MINT, LIST, "UUID=aaaa"),
        (PARTUUID, LIST, "PARTUUID=0a"), (PARTUUID, LIST | {"/boot/grub/grubenv": grubenv(initrdfail="1")}, "PARTUUID=0a"),
        (config().replace("aaaa-1111", "aaaa").replace("-6.1.0 ", " ").replace("img-6.1.0", "img"), {}, "UUID=aaaa"),
        (FEDORA, BLS, "UUID=aaaa"), (FEDORA, BLS | {"/boot/grub/grubenv": grubenv(**ENV)}, "UUID=aaaa"),
        (SUSE, {}, "UUID=aaaa"), (SUSE, {"/boot/grub/grubenv": grubenv(saved_entry="gnulinux-simple-aaaa")}, "UUID=aaaa"),
    ],
)  # fmt: skip
def test_the_default_of_a_generated_configuration_is_certain(text: str, more: dict[str, str], root: str, firmware: str) -> None:
    parts = (BlockDevice("disk1p2", "partition", 9, 0, 2, "ext4", "aaaa"),)
    files: dict[str, str | bytes | Link | Hive] = {CFG: text, "/boot/vmlinuz": b"k", "/boot/initrd.img": b"i", **more}
    guest = GuestFS({"/": MemoryFileSystem(files, "ext4", "aaaa")})
    blocks = BlockTable((BlockDevice("disk1", "disk", 9, 0), *parts))
    menu = grub_menu(GrubFiles(guest, blocks), CFG, GrubProgram(firmware))
    assert menu.default is not None, menu.default_reason
    assert menu.default.kernel == "/boot/vmlinuz"
    assert [arg.value for arg in menu.default.args if arg.name == "root"] == [root]
