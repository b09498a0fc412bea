"""modprobe.d: what is read, what it keeps from loading, in the guest and inside an image."""

from __future__ import annotations

import re

import pytest

from tests.facts.guests import HOSTILE, Files, at, fact, tokens_fit
from v2vlint.facts.initramfs.content import Initramfs
from v2vlint.facts.kernel.modprobe import Modprobe, image_modprobe, modprobe_from
from v2vlint.guest.text import GuestText
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Link

KMOD: Files = {"/usr/bin/kmod": ""}
TEXT = (
    "# blacklist comment\n"
    "blacklist xen-blkfront\n"
    "  install usb-storage /bin/true # why\r\n"
    "install e1000 /sbin/modprobe --ignore-install e1000 && /bin/touch /x\n"
    "install virtio_* \\\n\t/bin/false\n"
    "alias eth0 pcnet32\n"
    "options mptspi mpt_loadmode=1 x=2\n"
    "softdep a pre: b\n"
    "nonsense here\n"
    "blacklist\n"
)


def _parsed(text: str = TEXT) -> Modprobe:
    return modprobe_from([GuestText("/etc/modprobe.d/x.conf", text)])


def test_commands() -> None:
    found = _parsed()
    assert [(c.command, c.name, at(c.where)) for c in found.commands] == [
        ("blacklist", "xen_blkfront", "2:1"),
        ("install", "usb_storage", "3:3"),
        ("install", "e1000", "4:1"),
        ("install", "virtio_*", "5:1"),
        ("alias", "eth0", "7:1"),
        ("options", "mptspi", "8:1"),
        ("softdep", "a", "9:1"),
    ]
    assert [at(where) for where in found.malformed] == ["10:1", "11:1"]
    assert found.commands[3].argument == "/bin/false"
    assert tokens_fit({"/etc/modprobe.d/x.conf": TEXT}, *(word for command in found.commands for word in command.words))


def test_blacklisted_is_not_disabled() -> None:
    found = _parsed()
    assert found.blacklisted("xen-blkfront") is found.commands[0]
    assert found.disabled("xen-blkfront") is None
    assert found.blacklisted("usb-storage") is None


@pytest.mark.parametrize(("module", "line"), [("usb_storage", 3), ("virtio-blk", 5), ("e1000", 0), ("nvme", 0)])
def test_install_commands_that_load_nothing(module: str, line: int) -> None:
    command = _parsed().disabled(module)
    assert (command.where.line if command else 0) == line


def test_the_first_install_command_counts() -> None:
    assert _parsed("install a /sbin/modprobe -i a\ninstall a /bin/true\n").disabled("a") is None


def test_aliases_and_options() -> None:
    found = _parsed()
    assert [c.words[1].value for c in found.aliases(re.compile(r"eth\d+"))] == ["pcnet32"]
    assert found.aliases(re.compile(r"eth")) == ()
    assert [c.argument for c in found.options("mptspi")] == ["mpt_loadmode=1 x=2"]


@pytest.mark.parametrize(
    ("files", "read"),
    [
        ({**KMOD, "/etc/modprobe.d/a.conf": "", "/etc/modprobe.d/b": "", "/etc/modprobe.d/c.conf.bak": ""}, ["/etc/modprobe.d/a.conf"]),
        ({**KMOD, "/etc/modprobe.conf": "", "/lib/modprobe.d/z.conf": ""}, ["/lib/modprobe.d/z.conf"]),
        (
            {**KMOD, "/etc/modprobe.d/a.conf": "", "/usr/lib/modprobe.d/a.conf": "x", "/usr/lib/modprobe.d/b.conf": ""},
            ["/etc/modprobe.d/a.conf", "/usr/lib/modprobe.d/b.conf"],
        ),
        ({**KMOD, "/etc/modprobe.d/a.conf": Link("/dev/null"), "/usr/lib/modprobe.d/a.conf": "x"}, []),
        (
            {"/etc/modprobe.d/blacklist": "", "/etc/modprobe.d/x.rpmsave": "", "/etc/modprobe.conf": "", "/etc/modprobe.d/y~": ""},
            ["/etc/modprobe.conf", "/etc/modprobe.d/blacklist"],
        ),
        ({}, []),
    ],
)
def test_which_files_are_read(files: Files, read: list[str]) -> None:
    assert list(fact(Modprobe, files).files) == read


def test_inside_an_image() -> None:
    contents = {
        "etc/modprobe.d/a.conf": b"blacklist a\n",
        "usr/lib/modprobe.d/a.conf": b"blacklist hidden\n",
        "lib/modprobe.d/b.conf": b"blacklist b\n",
        "etc/modprobe.d/note": b"blacklist note\n",
    }
    found = image_modprobe(Initramfs(WholeFile("/boot/initrd.img"), files=frozenset(contents), contents=contents))
    assert [c.name for c in found.commands] == ["a", "b"]
    assert found.commands[0].where.path == "/boot/initrd.img!etc/modprobe.d/a.conf"


@pytest.mark.parametrize("content", [*HOSTILE, "install " * 2000, "alias\\\n\\\n\\", "\\" * 9999])
def test_any_bytes_are_a_configuration(content: str) -> None:
    found = fact(Modprobe, {**KMOD, "/etc/modprobe.d/x.conf": content})
    assert found.files == ("/etc/modprobe.d/x.conf",)
    assert found.disabled("virtio_blk") is None
