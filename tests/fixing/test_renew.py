"""Copies of changed files in initramfs images: renewed where they are exact, left alone where they are not."""

from __future__ import annotations

import base64
import gzip
import subprocess
from pathlib import Path

import pytest

from v2vlint.facts.initramfs.images import Initramfses
from v2vlint.fixing.cpio import archive
from v2vlint.fixing.operations import RootWork, build
from v2vlint.model.blocks import BlockTable
from v2vlint.model.fix import Applicability, Delete, Edit, Fix, ReplaceText
from v2vlint.model.place import Span
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest

RESUME, FILTER = "RESUME=/dev/sda5\n", 'devices {\n filter = [ "a|sda|", "r|.*|" ]\n}\n'
INIT = {"scripts/functions": b"#!/bin/sh\n", "conf/initramfs.conf": b"MODULES=dep\n", "init": b"#!/bin/sh\n"}
COPIES = {"conf/conf.d/resume": RESUME.encode(), "etc/lvm/lvm.conf": FILTER.encode(), "etc/modprobe.d/b.conf": b"blacklist virtio_blk\n"}


def _guest(members: dict[str, bytes]) -> dict[str, str | bytes | Link]:
    return {
        "/etc/initramfs-tools/conf.d/resume": RESUME,
        "/etc/lvm/lvm.conf": FILTER,
        "/etc/lvm/devices/system.devices": "IDTYPE=sys_wwid\n",
        "/etc/modprobe.d/b.conf": "blacklist virtio_blk\n",
        "/boot/initrd.img-6.1.0": gzip.compress(archive({**INIT, **members})),
        "/boot/initrd.img-5.10.0": gzip.compress(archive(INIT)),
        "/boot/initrd.img-broken": b"\x1f\x8b nothing",
    }


def _work(edit: Edit, members: dict[str, bytes] | None = None) -> RootWork:
    fs = memory_guest(_guest(COPIES if members is None else members))
    return build(fs, BlockTable(), [Fix("repair it", Applicability.SAFE, (edit,))])


def _replace(path: str, old: str, text: str) -> ReplaceText:
    content = str(_guest(COPIES)[path])
    start = content.index(old)
    return ReplaceText(Span(path, start, start + len(old), 1), old, text)


@pytest.mark.parametrize(
    ("edit", "member", "content"),
    [
        (_replace("/etc/initramfs-tools/conf.d/resume", "/dev/sda5", "none"), "conf/conf.d/resume", "RESUME=none\n"),
        (_replace("/etc/lvm/lvm.conf", "a|sda|", "a|.*|"), "etc/lvm/lvm.conf", FILTER.replace("a|sda|", "a|.*|")),
        (Delete("/etc/modprobe.d/b.conf"), "etc/modprobe.d/b.conf", ""),
    ],
)
def test_the_copy_follows_the_file(tmp_path: Path, edit: Edit, member: str, content: str) -> None:
    done = _work(edit)
    (_text, append) = done.operations
    assert append["op"] == "append"
    assert (append["op"], append["path"], append["renewed"]) == ("append", "/boot/initrd.img-6.1.0", [member])
    assert f"to /boot/initrd.img-6.1.0, with the new {member}" in done.diff
    data = base64.b64decode(append["data"])
    whole = _guest(COPIES)["/boot/initrd.img-6.1.0"]
    assert isinstance(whole, bytes)
    image = Initramfses(memory_guest({"/i": whole + data})).of("/i")
    assert image is not None
    assert image.contents.get(member, b"") == content.encode()
    assert image.contents["init"] == INIT["init"]
    unpacked = subprocess.run(
        ["cpio", "-i", "--quiet", "--to-stdout", member], input=gzip.decompress(data.lstrip(b"\0")), capture_output=True
    )
    assert unpacked.stdout == content.encode()


@pytest.mark.parametrize(
    ("edit", "members"),
    [
        (_replace("/etc/lvm/lvm.conf", "a|sda|", "a|.*|"), {"etc/lvm/lvm.conf": b"made by the generator\n"}),
        (_replace("/etc/lvm/lvm.conf", "a|sda|", "a|.*|"), {}),
        (Delete("/etc/lvm/devices/system.devices"), {"etc/lvm/devices/system.devices": b"IDTYPE=sys_wwid\n"}),
    ],
)
def test_other_copies_are_left_alone(edit: Edit, members: dict[str, bytes]) -> None:
    assert [op["op"] for op in _work(edit, members).operations] in (["overwrite"], ["delete"])
