"""Evaluating GRUB's scripts: conditions, searching, unknown values, and limits."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.facts.boot.grub.grub_samples import CFG, ENTRY, grubenv, menu
from v2vlint.facts.boot.entry import BootMenu
from v2vlint.facts.boot.grub.cfg import grub_menu
from v2vlint.facts.boot.grub.commands import COMMANDS, new_shell
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.program import GrubProgram
from v2vlint.facts.syntax.located import Located
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.blocks import BlockDevice, BlockTable
from v2vlint.model.errors import FactUnavailable
from v2vlint.samples.memory import MemoryFileSystem


@pytest.mark.parametrize(
    ("condition", "taken"),
    [
        ("[ -f /there ]", True), ("[ -e /gone ]", False), ("[ -d /boot ]", True), ("[ -s /empty ]", False), ("[ ! -f /gone ]", True),
        ("[ a = a -a b != c ]", True), ("[ a = b -o b = b ]", True), ("[ ( a = b ) -o ( c = c ) ]", True), ("[ -n '' ]", False),
        ("[ -z '' ]", True), ("[ 2 -gt 1 ]", True), ("[ 2 -lt 1 ]", False), ("[ '' ]", False), ("[ x ]", True), ("[ a '<' b ]", True),
        ("test a = a", True), ("true", True), ("false", False), ("[ ]", True), ("[ ( a = a ]", True),
    ],
)  # fmt: skip
def test_conditions(condition: str, taken: bool) -> None:
    text = f"if {condition}; then\nset default=1\nelse\nset default=0\nfi\n" + ENTRY.format("1.0") + ENTRY.format("2.0")
    found = menu({CFG: text, "/there": "x", "/empty": ""})
    assert found.default is found.entries[int(taken)]


@pytest.mark.parametrize(
    "condition", ["[ $grub_cpu = i386 ]", "[ x -nt y ]", "[ -f $cmdpath/x ]", "[ ! $grub_cpu = x ]", "probe -u $root", "[ -z $grub_cpu ]"]
)
def test_undecided_conditions(condition: str) -> None:
    text = f"if {condition}; then\nset default=1\nelse\nset default=0\nfi\n" + ENTRY.format("1.0") + ENTRY.format("2.0")
    assert menu({CFG: text}, firmware="").default is None


def _entry_menu(body: str) -> BootMenu:
    return _menu_of(f"menuentry x {{\n{body}\n}}\n")


def _menu_of(text: str, more: Mapping[str, str] = MappingProxyType({})) -> BootMenu:
    """The menu in a guest with the files /a and /b on a known filesystem."""
    files: dict[str, str | bytes] = {CFG: text, "/a": b"k", "/b": b"k", **more}
    parts = [BlockDevice(f"disk1p{at}", "partition", 9, 0, at, "ext4", uuid) for at, uuid in enumerate(("aaaa", "bbbb", "cccc"), 1)]
    blocks = BlockTable((BlockDevice("disk1", "disk", 9, 0), *parts))
    return grub_menu(GrubFiles(GuestFS({"/": MemoryFileSystem(files, "ext4", "aaaa")}), blocks), CFG, GrubProgram("bios"))


@pytest.mark.parametrize(
    ("body", "kernel"),
    [
        ("if smbios -t 1; then linux /a; else linux /b; fi", ""),
        ("linux /a; if smbios -t 1; then linux /b; fi", ""),
        ("linux /a; if true; then if smbios -t 1; then linux /b; fi; initrd /a; fi", ""),
        ("linux /a; while smbios -t 1; do linux /b; break; done", ""),
        ("linux /a; if smbios -t 1; then true; elif smbios -t 2; then linux /b; else linux /a; fi", ""),
        ("if smbios -t 1; then if smbios -t 2; then linux /a; else linux /b; fi; else linux /b; fi", ""),
        ("linux /a; if smbios -t 1; then chainloader /b; fi", ""),
        ("if smbios -t 1; then linux /a; else root=hd9; linux /a; fi", ""),
        ("if smbios -t 1; then linux (hd7,msdos1)/a; else linux (hd8,msdos1)/a; fi", ""),
        ("search -u bbbb -s b; search -u cccc -s c; if smbios -t 1; then linux ($b)/a; else linux ($c)/a; fi", ""),
        ("linux /a; if smbios -t 1; then linux /b; fi; linux /a", "/a"),
        ("linux /a; if smbios -t 1; then linux /b; else linux /b; fi", "/b"),
        ("linux /a; if smbios -t 1; then linux /b; elif linux /b; then true; fi", "/b"),
        ("if smbios -t 1; then linux /a; fi", ""),
        ("if smbios -t 1; then linux /a; elif smbios -t 2; then true; fi", ""),
        ("if smbios -t 1; then linux /a root=A; else linux /a root=B; fi", ""),
        ("if smbios -t 1; then linux /a root=A; else linux /a root=A; fi", "/a"),
        ("probe -s x -u (hd0); linux /a root=$x", ""),
        ("probe -s x -u (hd0); linux /$x", ""),
        ("probe -s x -u (hd0); linux /a $x; linux /a", "/a"),
        ("probe -s x -u (hd0); linux /a; initrd /$x", ""),
        ("if smbios -t 1; then r=A; else r=B; fi; linux /a root=$r", ""),
        ("if smbios -t 1; then r=A; else r=; fi; linux /a $r", ""),
        ("if smbios -t 1; then v=; else v=vt.handoff=7; fi; linux /a $v", "/a"),
        ("if smbios -t 1; then v=; else v=vt.handoff=7; fi; w=$v; linux /a $w", "/a"),
        ("if smbios -t 1; then v='quiet splash'; else v='quiet root=A'; fi; linux /a $v", ""),
        ("if smbios -t 1; then v=7; else v=1; fi; linux /a vt.handoff=$v loglevel=$v", "/a"),
        ("if smbios -t 1; then v=; else v=x; fi; linux /a $v", ""),
        ("if smbios -t 1; then linux /a quiet; else linux /a; fi", "/a"),
        ("for v in 1 2 3 4 5 6 7 8 9; do if smbios -t $v; then l=loglevel=$v; fi; done; linux /a $l", ""),
        ("probe -s x -u (hd0); if smbios -t 1; then x=quiet; fi; linux /a $x", ""),
        ("if smbios -t 1; then r=A; else r=A; fi; linux /a root=$r", "/a"),
        ("if smbios -t 1; then root=hd0,msdos1; else root=hd9; fi; linux /a", "/a"),
        ("probe -s list -u (hd0); for x in $list; do linux /a; done", ""),
        ("for k in /a /b; do linux $k; done", "/b"),
        ("for k in /?; do linux $k; done", ""),
        ("linux /a; initrd /init*", ""),
        ("linux /a; if smbios -t 1; then initrd /a; else initrd /b; fi", ""),
        ("linux /a; if smbios -t 1; then initrd /b; else initrd /b; fi", "/a"),
        ("if linux /gone; then true; else linux /b; fi", "/b"),
        ("if linux /a; then true; else linux /b; fi", "/a"),
        ("linux /a; if initrd /gone; then linux /b; fi", "/a"),
        ("if smbios -t 1; then linux /a; boot; fi; linux /b", ""),
        ("linux /a; boot; linux /b", "/a"),
        ("linux /gone; boot; linux /b", "/b"),
        ("boot; linux /b", "/b"),
        ("chainloader /a; boot; linux /b", ""),
        ("probe -s x -u (hd0); linux /a $x; boot; linux /b", ""),
        ("probe -s x -u (hd0); linux /$x; boot; linux /b", ""),
        ("probe -s x -u (hd0); linux /a $x; boot; linux /gone; boot; linux /b", ""),
        ("if smbios -t 1; then linux /a; boot; else linux /a; boot; fi; linux /b", "/a"),
        ("if smbios -t 1; then linux /a; boot; else linux /a; exit; fi; linux /b", ""),
        ("if smbios -t 1; then linux /a; else linux /a; boot; fi; linux /b", ""),
        ("hwmatch /a 3; if [ ${match} = 0 ]; then linux /a; else linux /b; fi", ""),
        ("linux /a '/x*' (b)\\?", "/a"),
        ("if [ '*' = '*' ]; then linux /a; else linux /b; fi", "/a"),
        ("x='/?'; linux /a $x", ""),
        ("x='/?'; linux /a \"$x\" '*'", "/a"),
        ("linux /a '/'?", ""),
        ("if search --file /gone; then linux /a; else linux /b; fi", "/b"),
        ("if smbios -t 1; then linux /a; else linux ($root)/a; fi", "/a"),
        ("if smbios -t 1; then linux /a; else linux (hd0,msdos1)//a; fi", "/a"),
        ("linux /a; if smbios -t 1; then initrd /b; fi", ""),
        ("if smbios -t 1; then linux /gone; else linux ($root)/gone; fi", "/gone"),
    ],
)
def test_kernels_of_which_the_machine_takes_one(body: str, kernel: str) -> None:
    """The default is what every way of the machine loads: kernel, arguments, initramfs."""
    found = _entry_menu(f"root=hd0,msdos1; {body}")
    assert (found.default.kernel if found.default else "") == kernel
    assert ("what it loads depends on the machine" in found.default_reason) is not bool(kernel)


@pytest.mark.parametrize(
    ("text", "default"),
    [
        ("menuentry $x { linux /a; }; menuentry T { linux /b; }; default=T", "a title that depends on the machine may be the same"),
        ("menuentry a --id $x { linux /a; }; menuentry T { linux /b; }; default=T", "a title that depends on the machine may be the same"),
        ("menuentry T { linux /b; }; menuentry $x { linux /a; }; default=T", "/b"),
        ("menuentry $x { linux /a; }; menuentry T { linux /b; }; default=1", "/b"),
        ("menuentry a { linux /gone; }; menuentry b { linux /b; }; fallback=$x", "the fallback depends on the machine"),
        ("menuentry a { linux /a; }; menuentry b { linux /b; }; fallback=$x", "/a"),
        ("menuentry a { linux /a; }; if smbios -t 1; then linux /b; boot; fi", "what the configuration boots depends on the machine"),
        ("menuentry a { linux /a; }; linux /b; boot", "/b"),
        ("if smbios -t 1; then linux /a; boot; else linux /b; boot; fi", "what the configuration boots depends on the machine"),
        (
            "if smbios -t 1; then linux /a root=A; boot; else linux /a root=B; boot; fi",
            "what the configuration boots depends on the machine",
        ),
        (
            "if smbios -t 1; then linux /a; boot; else linux /gone; boot; fi; menuentry z { linux /b; }",
            "what the configuration boots depends on the machine",
        ),
        ("menuentry T$x { linux /a; }; default=T", "a title that depends on the machine may be the same"),
        ("export x; submenu s { default=$x; menuentry a { linux /a; }; }; default=0", "and what it loads depends on the machine"),
        ("menuentry a { linux /a; }; linux /gone; boot", "/a"),
    ],
)
def test_defaults_that_the_machine_decides(text: str, default: str) -> None:
    text = text.replace("; }; ", "\n}\n").replace(" { ", " {\n")
    found = _menu_of(f"root=hd0,msdos1\nprobe -s x -u (hd0)\n{text}\n")
    assert (found.default.kernel if found.default else found.default_reason).endswith(default)


BLS_CHOICE = "if smbios -t 1; then set kernelopts=root=A; else set kernelopts=%s; fi; blscfg"


@pytest.mark.parametrize(
    ("text", "kernel"),
    [
        ("set kernelopts=root=A; blscfg", "/a"),
        (BLS_CHOICE % "root=A", "/a"),
        (BLS_CHOICE % "root=B", ""),
        ("if smbios -t 1; then l=quiet; else l=splash; fi; set kernelopts=root=A; blscfg", "/a"),
        ("probe -s l -u (hd0); blscfg", ""),
        ("probe -s i -u (hd0); blscfg", ""),
        ("set default=1; blscfg", "/gone"),
        ("set default=1; set fallback=0; blscfg", "/a"),
        ("probe -s default_kernelopts -u (hd0); set default=1; blscfg", ""),
    ],
)
def test_entry_files_of_which_the_machine_decides(text: str, kernel: str) -> None:
    entry = "title a\nversion 2\nlinux /a\ninitrd /b $i\noptions ro $kernelopts $l\n"
    folder = "/loader/entries"
    found = _menu_of(f"root=hd0,msdos1; {text}\n", {f"{folder}/2.conf": entry, f"{folder}/1.conf": "title b\nversion 1\nlinux /gone\n"})
    assert (found.default.kernel if found.default else "") == kernel, found.default_reason


@pytest.mark.parametrize(("other", "decided"), [("/x", True), ("/a", False)])
def test_an_entry_file_whose_kernel_is_on_two_filesystems(other: str, decided: bool) -> None:
    text, entry = "probe -s root -u (hd0)\nblscfg\n", "title a\nlinux /a\n"
    system = MemoryFileSystem({CFG: text, "/loader/entries/a.conf": entry, "/a": b"k"}, "ext4", "aaaa")
    guest = GuestFS({"/": system, "/data": MemoryFileSystem({other: b"k"}, "ext4", "bbbb")})
    assert (grub_menu(GrubFiles(guest, BlockTable()), CFG, GrubProgram("bios")).default is not None) is decided


def test_quoted_titles_are_no_patterns() -> None:
    found = _menu_of('root=hd0,msdos1\nset default="*b"\nmenuentry "(a?)" {\nlinux /a\n}\nmenuentry "*b" {\nlinux /b\n}\n')
    assert found.default is not None
    assert found.default.kernel == "/b"


def test_what_is_loaded_for_a_kernel_that_the_machine_does_not_change() -> None:
    """An initramfs may depend on the machine; Xen starts the kernel that is loaded after the choice."""
    for body in ("linux /a; if smbios -t 1; then initrd /b; fi", "if smbios -t 1; then linux /a; initrd /b; fi"):
        (entry,) = _entry_menu(body).entries
        assert (entry.kernel, entry.initrds) == ("/a", ("/b",))
    (entry,) = _entry_menu("if smbios -t 1; then multiboot /b; fi; module /a").entries
    assert (entry.kernel, entry.xen) == ("/a", True)


@pytest.mark.parametrize(
    ("text", "device"),
    [
        ("search --label --set=root data\n", "/data"),
        ("search --file --set=root /data-only\n", "/data"),
        ("search.fs_label data root\n", "/data"),
        ("search -l data --set=dev\nset root=$dev\n", "/data"),
        ("search --label data --set dev --no-floppy\nset root=$dev\n", "/data"),
        ("search -n --set dev -l data\nset root=$dev\n", "/data"),
        ("search -n -l data -s\n", "/data"),
        ("search --hint hd0 --label --set=root data\n", "/data"),
        ("search --no-floppy --label --set=root --hint-bios hd0,msdos1 --hint-efi=hd0,msdos1 data\n", "/data"),
    ],
)
def test_searching(text: str, device: str) -> None:
    system = MemoryFileSystem({CFG: text + "menuentry x {\n linux /k\n}\n"}, "ext4", "aaaa", "system")
    data = MemoryFileSystem({"/k": b"k", "/data-only": b""}, "ext4", "bbbb", "data")
    found = grub_menu(GrubFiles(GuestFS({"/": system, "/data": data}), BlockTable()), CFG, GrubProgram("bios"))
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
    assert menu({CFG: "submenu x {\n true\n}\n"}).default_reason == "default=0, a submenu without entries"


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


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("if nothing; then a=1; else a=2; fi", "1"),
        ("if ! nothing; then a=1; else a=2; fi", "1"),
        ("nothing; a=$?", "0"),
        ("false; a=$?", "1"),
        ("! true; a=$?", "1"),
        ("search --label gone; a=$?", "5"),
        ("function false { a=1; }\nfalse", ""),
        ("function nothing { return 3; }\nnothing; a=$?", "3"),
        ("load_env --file=/gone; a=$?", None),
        ("b='a=1'; $b", "1"),
        ("for b in 1 2; do false; done; a=$?", "1"),
        ("while false; do true; done; a=$?", "1"),
        ("until true; do true; done; a=$?", "0"),
    ],
)
def test_what_a_command_leaves_behind(text: str, value: str | None) -> None:
    """A command that GRUB does not have succeeds, and comes before a function of its name where it has it (seen with grub-emu)."""
    files = GrubFiles(GuestFS({"/": MemoryFileSystem({})}), BlockTable((BlockDevice("disk1", "disk", 1, 0),)))
    shell = new_shell(files, {})
    shell.has = lambda _shell, name: name in COMMANDS
    shell.execute(GuestText("/grub.cfg", text))
    found = shell.env.get("a", Located())
    assert (found.text if found else found if found is None else "") == value


def test_text_that_is_put_together_keeps_its_places() -> None:
    text = 'set title=one\neval "menuentry $title { linux /k root=/dev/sda1\n}\nfi\nmenuentry two { linux /k }"\n'
    text += 'set a=$grub_cpu\neval "b=$a"\n'
    found = menu({CFG: text})
    entry = found.entries[0]
    assert [entry.title for entry in found.entries] == ["one"]
    token = entry.args[0].token
    assert token is not None
    assert (token.value, text[token.where.start : token.where.end]) == ("root=/dev/sda1", "root=/dev/sda1")
    assert [text[place.start : place.end] for place in found.malformed] == ["fi"]


def test_a_script_that_puts_together_much_is_unknowable() -> None:
    with pytest.raises(FactUnavailable, match="takes more than 100000 steps"):
        menu({CFG: "set a='" + "true;" * 900 + "true'\n" + 'eval "$a"\n' * 40 + ENTRY.format("1.0")})
