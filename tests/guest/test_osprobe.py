"""Which system it is, from the release files of many distributions."""

from __future__ import annotations

import pytest

from v2vlint.facts.registry import FactStore
from v2vlint.facts.windows.registry import Registry
from v2vlint.guest.identity import hostname
from v2vlint.guest.osprobe import architecture, linux_info, windows_folder, windows_info
from v2vlint.model.blocks import BlockTable
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest
from v2vlint.samples.regf import make_hive

Files = dict[str, str | bytes | Link]

RELEASES: dict[str, tuple[Files, tuple[str, str, str, str]]] = {
    "debian": (
        {"/etc/os-release": 'ID=debian\nNAME="Debian GNU/Linux"\nVERSION_ID="12"\n', "/etc/debian_version": "12.5\n"},
        ("debian", "debian", "Debian GNU/Linux", "12.5"),
    ),
    "debian testing": (
        {"/etc/os-release": "ID=debian\nNAME=Debian\n", "/etc/debian_version": "trixie/sid\n"},
        ("debian", "debian", "Debian", ""),
    ),
    "ubuntu": (
        {
            "/etc/os-release": Link("../usr/lib/os-release"),
            "/usr/lib/os-release": "ID=ubuntu\nID_LIKE=debian\nNAME=Ubuntu\nVERSION_ID='22.04'\n",
        },
        ("ubuntu", "debian", "Ubuntu", "22.04"),
    ),
    "unknown but like": ({"/etc/os-release": 'ID=foo\nID_LIKE="rhel fedora"\nNAME=Foo\n'}, ("foo", "rhel", "Foo", "")),
    "leap": (
        {"/etc/os-release": 'ID="opensuse-leap"\nNAME="openSUSE Leap"\nVERSION_ID="15.5"\n'},
        ("opensuse-leap", "suse", "openSUSE Leap", "15.5"),
    ),
    "arch": ({"/etc/os-release": "ID=arch\nNAME='Arch Linux'\n"}, ("arch", "arch", "Arch Linux", "")),
    "alpine": (
        {"/etc/os-release": "ID=alpine\nNAME=Alpine\nVERSION_ID=3.19\n", "/etc/alpine-release": "3.19.1\n"},
        ("alpine", "alpine", "Alpine", "3.19.1"),
    ),
    "rhel 5": (
        {"/etc/redhat-release": "Red Hat Enterprise Linux Server release 5.11 (Tikanga)\n"},
        ("rhel", "rhel", "Red Hat Enterprise Linux Server", "5.11"),
    ),
    "centos 6": ({"/etc/redhat-release": "CentOS release 6.10 (Final)\n"}, ("centos", "rhel", "CentOS", "6.10")),
    "oracle 5": (
        {"/etc/redhat-release": "Enterprise Linux Enterprise Linux Server release 5.4\n"},
        ("ol", "rhel", "Enterprise Linux Enterprise Linux Server", "5.4"),
    ),
    "sles 11": (
        {"/etc/SuSE-release": "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\n"},
        ("sles", "suse", "SUSE Linux Enterprise Server", "11"),
    ),
    "old debian": ({"/etc/debian_version": "5.0.10\n"}, ("debian", "debian", "Debian GNU/Linux", "5.0.10")),
    "gentoo": ({"/etc/gentoo-release": "Gentoo Base System release 2.14\n"}, ("gentoo", "gentoo", "Gentoo Base System", "2.14")),
    "slackware": ({"/etc/slackware-version": "Slackware 14.2\n"}, ("slackware", "slackware", "Slackware", "14.2")),
    "nothing": ({}, ("", "linux", "Linux", "")),
    "garbage": ({"/etc/os-release": b"\xff\xfe\nID\n=\nNAME='\n"}, ("", "linux", "Linux", "")),
}


@pytest.mark.parametrize(("files", "wanted"), RELEASES.values(), ids=RELEASES)
def test_release(files: Files, wanted: tuple[str, str, str, str]) -> None:
    found = linux_info(memory_guest(files))
    assert (found.distro, found.family, found.name, found.version) == wanted
    assert found == OsInfo("linux", *wanted)


def elf(machine: int, *, big: bool = False) -> bytes:
    order = "big" if big else "little"
    return b"\x7fELF\2" + (b"\2" if big else b"\1") + bytes(10) + (2).to_bytes(2, order) + machine.to_bytes(2, "big" if big else "little")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"/bin/sh": elf(62)}, "x86_64"),
        ({"/bin/sh": elf(3)}, "i386"),
        ({"/usr/bin/sh": elf(183), "/bin": Link("usr/bin")}, "aarch64"),
        ({"/bin/sh": elf(22, big=True)}, "s390x"),
        ({"/bin/sh": b"#!/bin/bash\n", "/bin/bash": elf(62)}, "x86_64"),
        ({"/lib64/ld-linux-x86-64.so.2": elf(62)}, "x86_64"),
        ({"/bin/sh": b"\x7fELF"}, ""),
        ({}, ""),
    ],
)
def test_architecture(files: Files, wanted: str) -> None:
    assert architecture(memory_guest(files)) == wanted


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"/etc/hostname": "web01\n"}, "web01"),
        ({"/etc/hostname": "# set by installer\n", "/etc/HOSTNAME": "old.example.org\n"}, "old.example.org"),
        ({"/etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME='box'\n"}, "box"),
        ({"/etc/conf.d/hostname": 'hostname="gentoo"\n'}, "gentoo"),
        ({}, ""),
    ],
)
def test_hostname(files: Files, wanted: str) -> None:
    assert hostname(memory_guest(files)) == wanted


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ({"/Windows/System32/config/SYSTEM": ""}, "/Windows"),
        ({"/WINNT/System32/config/SYSTEM": ""}, "/WINNT"),
        ({"/WINDOWS/System32/config/SYSTEM": "", "/WINNT/System32/config/SYSTEM": ""}, "/WINDOWS"),
        (
            {
                "/boot.ini": '[operating systems]\r\nmulti(0)disk(0)rdisk(0)partition(1)\\WINXP.0="Windows XP" /fastdetect\r\n',
                "/WINXP.0/System32/config/SYSTEM": "",
                "/WINDOWS/System32/config/SYSTEM": "",
            },
            "/WINXP.0",
        ),
        ({"/boot.ini": "default=multi(0)disk(0)rdisk(0)partition(1)\\GONE\n", "/WINDOWS/System32/config/SYSTEM": ""}, "/WINDOWS"),
        ({"/Windows/Temp/x": "", "/backup/System32/config/SYSTEM": ""}, ""),
        ({"/Windows/System32/config/x": ""}, ""),
        ({"/Windows/System32/config/x": "", "/Windows/System32/cmd.exe": ""}, "/Windows"),
    ],
)
def test_the_folder_of_windows(files: Files, folder: str) -> None:
    assert windows_folder(memory_guest(files)) == folder


def test_windows_in_a_folder_of_another_name() -> None:
    config = "/WINNT/System32/config"
    software = make_hive('[Microsoft\\Windows NT\\CurrentVersion]\n"ProductName"="Microsoft Windows 2000"\n"CurrentVersion"="5.0"\n')
    shell = b"MZ".ljust(60, b"\0") + (64).to_bytes(4, "little") + b"PE\0\0" + (0x14C).to_bytes(2, "little")
    hive = make_hive("[ControlSet001\\Services\\x]\n")
    fs = memory_guest({f"{config}/SOFTWARE": software, f"{config}/SYSTEM": hive, "/WINNT/System32/cmd.exe": shell})
    info = windows_info(fs)
    assert (info.name, info.version, info.arch, info.system_root) == ("Microsoft Windows 2000", "5.0", "i386", "/WINNT")
    registry = FactStore((fs, BlockTable(), info)).get(Registry)
    assert (registry.system.path, registry.soft_place("x").path) == (f"{config}/SYSTEM", f"{config}/SOFTWARE")


def test_the_name_of_a_windows_is_that_of_the_next_boot() -> None:
    """``Select\\Default`` is the control set that the loader takes; ``Current`` was the last."""
    hive = """[Select]
"Current"=dword:1
{default}
[ControlSet001\\Control\\ComputerName\\ComputerName]
"ComputerName"="LAST"
[ControlSet002\\Control\\ComputerName\\ComputerName]
"ComputerName"="NEXT"
"""
    for default, name in (('"Default"=dword:2', "NEXT"), ('"Default"=dword:1', "LAST"), ("", "LAST")):
        fs = memory_guest({"/Windows/System32/config/SYSTEM": make_hive(hive.format(default=default))})
        assert windows_info(fs).hostname == name
