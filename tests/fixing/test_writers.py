"""Both back-ends do the same work, and the guest's files are the same afterwards, to the attribute; the checkers find nothing."""

from __future__ import annotations

import base64
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest

from guestbuild.lvm import Volume, group_size, write_group
from guestbuild.samples import cached
from tests.disk.images import blank, ext, make_tree, need, partitioned, run
from tests.fixing import both
from v2vlint.fixing import appliance
from v2vlint.fixing.direct.write import write as write_directly
from v2vlint.fixing.orders import Orders, RootOrders, ValueData

NEW = bytes(range(256)) * 700
CONTEXTS = "/.* system_u:object_r:default_t:s0\n/etc(/.*)? system_u:object_r:etc_t:s0\n/etc/secret.* -- system_u:object_r:shadow_t:s0\n"
SPECIFICATION = "/etc/selinux/targeted/contexts/files/file_contexts"
SYSTEM = "/windows/SYSTEM32/config/system"

LABELS = (
    ("etc/new/deep/er/file.conf", "etc"), ("etc/secret-new", "shadow"), ("shared/below/file", "default"), ("etc/private.copy", "etc"),
    ("etc/new", "etc"), ("etc/new/deep/er", "etc"), ("shared/below", "default"),
)  # fmt: skip
"""Those of new files and folders; a copy gets that of its own place, as a file that is made there would."""


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _overwrite(path: str, old: bytes, new: bytes) -> Any:
    return {"op": "overwrite", "path": path, "data": _b64(new), "expect": hashlib.sha256(old).hexdigest()}


def _create(path: str, data: bytes = b"new\n", mode: int = 0o644) -> Any:
    return {"op": "create", "path": path, "data": _b64(data), "mode": mode}


def _value(number: int) -> ValueData:
    return {"type": 4, "data": _b64(number.to_bytes(4, "little"))}


def _mount(point: str, kind: str, name: str, disk: int = 0, number: int = 0) -> Any:
    return {"point": point, "device": {"kind": kind, "disk": disk, "number": number, "name": name, "uuid": ""}, "options": ""}


def _odd(top: Path) -> None:
    """What an edit must keep, or carry over."""
    (top / "etc/linked").write_bytes(b"linked\n" * 900)
    os.link(top / "etc/linked", top / "home/linked")
    (top / "etc/sparse").write_bytes(b"")
    os.truncate(top / "etc/sparse", 3 << 20)
    (top / "etc/gone").symlink_to("hostname")
    (top / "etc/far-gone").symlink_to("y" * 200)
    (top / "etc/dropped").write_bytes(b"d" * 50_000)
    (top / "etc/private").write_bytes(b"private\n")
    (top / "etc/private").chmod(0o640)
    os.utime(top / "etc/private", (1_000_000_000, 1_100_000_000))
    selinux = top / SPECIFICATION[1:]
    selinux.parent.mkdir(parents=True)
    selinux.write_text(CONTEXTS)
    (top / "shared").mkdir()
    (top / "shared").chmod(0o2775)
    (top / "boot/efi").mkdir()
    (top / "srv").mkdir()
    for number in range(400):
        (top / f"srv/a-name-that-is-rather-long-{number:04}").write_bytes(b"%d" % number)


_MARKS = (
    ("etc/private", "security.selinux", "system_u:object_r:shadow_t:s0"), ("etc/private", "user.note", "x" * 300),
    ("etc/hostname", "security.selinux", "system_u:object_r:hostname_etc_t:s0"), ("etc/hostname", "user.note", "small"),
    ("etc/dropped", "user.note", "y" * 900),
)  # fmt: skip
# A POSIX ACL as system.posix_acl_access has it: rw for the owner and user 1000, r for the group and the mask, nothing for others.
_ACL = "0200000001000600ffffffff02000600e803000004000400ffffffff10000400ffffffff20000000ffffffff"


def _marked(image: Path) -> Path:
    """Attributes, an ACL, owners: what ``mke2fs -d`` does not take from files of an ordinary user."""
    lines = [f"ea_set /{path} {name} {value}" for path, name, value in _MARKS]
    acl = image.with_suffix(".acl")
    acl.write_bytes(bytes.fromhex(_ACL))
    lines += [
        f"ea_set -f {acl} /etc/private system.posix_acl_access",
        "sif /etc/private uid 70000",
        "sif /etc/private gid 42",
        "sif /shared gid 50",
    ]
    run("debugfs", "-w", "-f", "-", image, input="\n".join(lines))
    return image


@pytest.fixture(scope="module")
def linux(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """Two disks: an EFI system partition and an ext4, and a volume group whose root is an ext3 in three segments."""
    need("mkfs.vfat", "mcopy", "debugfs", "sfdisk")
    folder = tmp_path_factory.mktemp("linux")
    _odd(make_tree(folder / "tree"))
    root = _marked(ext(folder / "root.img", folder / "tree", "-t", "ext3", size=64 << 20))
    (folder / "data").mkdir()
    for number in range(300):
        (folder / f"data/another-name-that-is-long-{number:04}").write_bytes(b"%d" % number)
    data = ext(folder / "data.img", folder / "data", "-t", "ext4", "-U", "random", size=48 << 20)
    esp = blank(folder / "esp.img", 34 << 20)
    run("mkfs.vfat", "-F", "32", "-i", "0badcafe", esp)
    (folder / "shim").write_bytes(NEW)
    run("mmd", "-i", esp, "::/EFI", "::/EFI/debian")
    run("mcopy", "-i", esp, folder / "shim", "::/EFI/debian/shimx64.efi")
    run("mcopy", "-i", esp, folder / "shim", "::/EFI/debian/old.cfg")
    run("mattrib", "-i", esp, "+h", "+s", "::/EFI/debian/old.cfg")
    script = "label: gpt\nstart=2048, size=69632, type=U\nstart=73728, size=98304, type=L\n"
    first = partitioned(folder / "first.raw", script, {2048: esp, 73728: data}, 100 << 20)
    second = write_group(folder / "second.raw", "vg", (Volume("root", root, 3),), group_size((64 << 20,)) + (16 << 20))
    return first, second


LINUX: RootOrders = {
    "mounts": [
        _mount("/", "lv", "vg/root", 1),
        _mount("/boot/efi", "partition", "disk1p1", 0, 1),
        _mount("/srv", "partition", "disk1p2", 0, 2),
    ],
    "operations": [
        _overwrite("/etc/hostname", b"probe\n", b"a-name-that-is-longer\n" * 400),
        _overwrite("/etc/linked", b"linked\n" * 900, b"short\n"),
        _overwrite("/etc/sparse", bytes(3 << 20), b"x" * 70_001),
        _overwrite("/etc/private", b"private\n", b""),
        {"op": "append", "path": "/boot/initrd.img", "size": 700_000, "data": _b64(NEW), "renewed": []},
        _create("/etc/new/deep/er/file.conf", NEW, 0o600),
        _create("/etc/secret-new", b"", 0o400),
        _create("/shared/below/file"),
        {"op": "copy", "source": "/etc/private", "path": "/etc/private.copy"},
        {"op": "copy", "source": "/etc/private", "path": "/shared/private.copy"},
        {"op": "delete", "path": "/etc/dropped"},
        {"op": "delete", "path": "/home/linked"},
        {"op": "delete", "path": "/etc/gone"},
        {"op": "delete", "path": "/etc/far-gone"},
        *(_create(f"/srv/one-more-name-of-some-length-{number:03}") for number in range(60)),
        {"op": "delete", "path": "/srv/another-name-that-is-long-0123"},
        _create("/boot/efi/EFI/BOOT/grub.cfg"),
        _overwrite("/boot/efi/EFI/debian/old.cfg", NEW, b"now\n"),
        {"op": "copy", "source": "/boot/efi/EFI/debian/shimx64.efi", "path": "/boot/efi/EFI/BOOT/BOOTX64.EFI"},
        {"op": "append", "path": "/boot/efi/EFI/debian/shimx64.efi", "size": len(NEW), "data": _b64(b"more"), "renewed": []},
    ],
    "selinux": SPECIFICATION,
    "windows": False,
}  # fmt: skip
WINDOWS: RootOrders = {
    "mounts": [_mount("/", "partition", "disk3p2", 2, 2)],
    "operations": [
        {"op": "registry", "path": SYSTEM, "edits": [
            {"key": ["controlset001", "services", "STORAHCI"], "name": "start", **_value(4), "expect": _value(0)},
            {"key": ["ControlSet001", "New", "Key"], "name": "x", **_value(1), "expect": None},
        ]},
        _create("/windows/Drivers/VirtIO/new.sys", NEW),
        _create("/Windows/small.txt", b"small"),
    ],
    "selinux": "",
    "windows": True,
}  # fmt: skip


@pytest.fixture
def disks(linux: tuple[Path, ...], tmp_path: Path) -> tuple[Path, ...]:
    """Those of :func:`linux` and a Windows."""
    (sample,) = cached("windows-10-vmware")
    run("qemu-img", "convert", "-O", "raw", sample, tmp_path / "windows.raw")
    return *linux, tmp_path / "windows.raw"


@pytest.mark.slow
def test_every_operation_leaves_the_same_files(disks: tuple[Path, ...], tmp_path: Path) -> None:
    need("ntfsfix", "ntfs-3g")
    # Debian's libguestfs sets no SELinux labels: they are looked at below.
    orders: Orders = {"roots": [{**LINUX, "selinux": ""}, WINDOWS], "unlock": []}
    after = []
    for name, write in (("direct", write_directly), ("libguestfs", appliance.write)):
        (tmp_path / name).mkdir()
        asked = both.work(tmp_path / name, disks, orders)
        write(asked)
        after.append(both.flat(asked, tmp_path / name))
    assert both.compare(after[0], after[1], tmp_path) > 1500


def test_what_is_written_directly_passes_the_checkers(disks: tuple[Path, ...], tmp_path: Path) -> None:
    asked = both.work(tmp_path, disks, {"roots": [LINUX, WINDOWS], "unlock": []})
    written = write_directly(asked)
    assert "libext2fs" in written.by
    assert "mtools" in written.by
    assert "hivex" in written.by
    assert written.notes == (f"SELinux labels set by {SPECIFICATION}",)
    (tmp_path / "out").mkdir()
    after = both.volumes(both.flat(asked, tmp_path), tmp_path / "out", "raw")
    for volume in after.values():
        both.check(volume)
    for path, kind in LABELS:
        assert f'"system_u:object_r:{kind}_t:s0\\000"' in run("debugfs", "-R", f"ea_get /{path} security.selinux", after["vg/root"])
