"""GRUB configurations for tests, laid out as the generators write them."""

from __future__ import annotations

from collections.abc import Mapping

from v2vlint.facts.boot.entry import BootMenu
from v2vlint.facts.boot.grub.cfg import grub_menu
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.model.blocks import BlockTable
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest

CFG = "/boot/grub/grub.cfg"
LOAD_ENV = """if [ -s $prefix/grubenv ]; then
  set have_grubenv=true
  load_env
fi
"""
SAVED = """if [ "${next_entry}" ] ; then
   set default="${next_entry}"
   set next_entry=
   save_env next_entry
   set boot_once=true
else
   set default="%s"
fi
"""
ID_OPTION = """if [ x"${feature_menuentry_id}" = xy ]; then
  menuentry_id_option="--id"
else
  menuentry_id_option=""
fi
export menuentry_id_option
"""
HEADER = f"""
{LOAD_ENV}{SAVED}{ID_OPTION}function load_video {{
  if [ x$feature_all_video_module = xy ]; then insmod all_video; else insmod vga; fi
}}
if [ x$feature_default_font_path = xy ] ; then
   font=unicode
else
   font="/usr/share/grub/unicode.pf2"
fi
if loadfont $font ; then
  set gfxmode=auto
fi
if [ "${{recordfail}}" = 1 ] ; then
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


def config(default: str = "0") -> str:
    """A grub.cfg as Debian's generator lays it out: one entry and a submenu of two."""
    return HEADER % default + ENTRY.format("6.1.0") + SUBMENU.format(ENTRY.format("6.1.0") + ENTRY.format("5.10.0")) + FIRMWARE_SETUP


def menu(files: Mapping[str, str | bytes | Link], path: str = CFG, firmware: str = "bios", blocks: BlockTable | None = None) -> BootMenu:
    """The menu of an in-memory guest."""
    return grub_menu(GrubFiles(memory_guest(files), blocks or BlockTable()), path, GrubProgram(firmware))


def grubenv(**values: str) -> str:
    """An environment block."""
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    return f"# GRUB Environment Block\n{lines}".ljust(1024, "#")
