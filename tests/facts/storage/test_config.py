"""crypttab, mdadm.conf, LVM, multipath, device maps, resume settings: whole values, precedence, hostile bytes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from v2vlint.facts.boot.consoles import Consoles
from v2vlint.facts.boot.device_map import DeviceMap
from v2vlint.facts.boot.grub.install import GrubInstall
from v2vlint.facts.initramfs.resume_conf import ResumeConf
from v2vlint.facts.registry import FactStore
from v2vlint.facts.storage.crypttab import Crypttab
from v2vlint.facts.storage.device_mentions import DeviceMentions
from v2vlint.facts.storage.lvm_conf import LvmConf
from v2vlint.facts.storage.lvm_devices import LvmDevices
from v2vlint.facts.storage.mdadm_conf import MdadmConf
from v2vlint.facts.storage.multipath import Multipath
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest

T = TypeVar("T")
Files = Mapping[str, str | bytes | Link]


def _get(kind: type[T], files: Files) -> T:
    return FactStore((memory_guest(files),)).get(kind)


def test_crypttab() -> None:
    text = (
        '# <target> <source>\nroot UUID="4A2E" none luks,discard,keyscript=/bin/x\n\nswap\t/dev/sda3 /dev/urandom swap,nofail\n'
        "keyless /dev/sdb1\nbroken\nz LABEL=a -\n"
    )
    found = _get(Crypttab, {"/etc/crypttab": text})
    root, swap, keyless, last = found.entries
    assert (root.device, root.key, root.options, str(root.source.where)) == (
        "UUID=4A2E", "none", ("luks", "discard", "keyscript=/bin/x"), "/etc/crypttab:2:6",
    )  # fmt: skip
    assert (root.option("keyscript"), root.option("luks"), root.option("x"), root.is_optional) == ("/bin/x", "", None, False)
    assert (swap.device, swap.has_random_key, swap.is_optional) == ("/dev/sda3", True, True)
    assert (keyless.key, keyless.options, last.key) == ("none", (), "none")
    assert [span.line for span in found.malformed] == [6]
    assert found.entry("swap") is swap
    assert found.entry("x") is None
    assert _get(Crypttab, {}) == Crypttab()


def test_mdadm_conf() -> None:
    text = (
        "# DEVICE /dev/sdz1\nDEVICE /dev/sda1 /dev/sdb1 # both\nARRAY /dev/md/root metadata=1.2\n   UUID=8C2F:1 name=host:root\n"
        "array /dev/md0 devices=/dev/sda2,/dev/sdb2\nMAILADDR root\nARRAY\n"
    )
    found = _get(
        MdadmConf,
        {"/etc/mdadm/mdadm.conf": text, "/etc/mdadm/mdadm.conf.d/x.conf": "DEV partitions\n", "/etc/mdadm/mdadm.conf.d/y": "DEVICE no\n"},
    )
    assert [token.value for token in found.scan] == ["/dev/sda1", "/dev/sdb1", "partitions"]
    first, second = found.arrays
    assert (first.device.value, first.uuid, first.name, first.devices) == ("/dev/md/root", "8c2f:1", "host:root", ())
    assert [(token.value, str(token.where)) for token in second.devices] == [
        ("/dev/sda2", "/etc/mdadm/mdadm.conf:5:24"), ("/dev/sdb2", "/etc/mdadm/mdadm.conf:5:34"),
    ]  # fmt: skip
    assert found.files == ("/etc/mdadm/mdadm.conf", "/etc/mdadm/mdadm.conf.d/x.conf")


@pytest.mark.parametrize(
    ("line", "places"),
    [
        ("DEVICE '/dev/sda1' \"/dev/sdb1\"", {"/dev/sda1": 9, "/dev/sdb1": 21}),
        ('DEVICE /dev/"sda"1 "/dev/sdb1', {"/dev/sda1": 0, "/dev/sdb1": 21}),
        ('DEVICE "a b" # "c"', {"a b": 9}),
        ('ARRAY "/dev/md0" devices="/dev/sda1,/dev/sdb1"', {"/dev/sda1": 27, "/dev/sdb1": 37}),
        ("'ARRAY' /dev/md0 'devices=/dev/sda1,/dev/sdb1'", {"/dev/sda1": 27, "/dev/sdb1": 37}),
    ],
)
def test_quotes_of_mdadm_conf(line: str, places: dict[str, int]) -> None:
    """A fix replaces a word at its place, so the place has no quotes; it is the whole word's where they are inside."""
    found = _get(MdadmConf, {"/etc/mdadm.conf": f"{line}\n"})
    tokens = [*found.scan, *(token for array in found.arrays for token in array.devices)]
    assert [token.value for token in tokens] == list(places)
    for token, column in zip(tokens, places.values(), strict=True):
        assert not column or (token.where.column, line[token.where.start : token.where.end]) == (column, token.value)
    assert all(array.device.value == "/dev/md0" for array in found.arrays)


def test_lvm_conf_merges_and_ignores_comments() -> None:
    files = {
        "/etc/lvm/lvm.conf": (
            'config { checks = 1 }\ndevices {\n  # filter = [ "r|.*|" ]\n  filter = [ "a|^/dev/sda2$|", "r|.*|" ]\n  nested { x = "}" }\n'
            '  global_filter = "a|.*|"\n  use_devicesfile = 1\n}\nactivation {\n  volume_list = [ "@host", "vg" ]\n}\n}\n'
            'devices/scan = [ "/dev" ]\n'
        ),
        "/etc/lvm/lvmlocal.conf": 'devices {\n  filter = [ "a/loop/", "r/.*/" ]\n  global_filter = []\n  use_devicesfile = 0\n}\n',
    }
    found = _get(LvmConf, files)
    assert [(setting.name, str(setting.where)) for setting in found.filters] == [("filter", "/etc/lvm/lvmlocal.conf:2:14")]
    assert [(pattern.accept, pattern.regex) for pattern in found.filters[0].patterns] == [(True, "loop"), (False, ".*")]
    assert found.use_devices_file is False
    assert _get(LvmConf, {}) == LvmConf()
    assert _get(LvmConf, {"/etc/lvm/lvm.conf": "devices {\n use_devicesfile ="}) == LvmConf()


@pytest.mark.parametrize(
    ("patterns", "paths", "accepted"),
    [
        ('"a|^/dev/sda2$|", "r|.*|"', ("/dev/sda2",), True),
        ('"a|^/dev/sda2$|", "r|.*|"', ("/dev/vda2",), False),
        ('"a|by-id|", "r|.*|"', ("/dev/vda2", "/dev/disk/by-id/lvm-pv-uuid-x"), True),
        ('"r|^/dev/cdrom|"', ("/dev/vda2",), True),
        ('"r|(|"', ("/dev/vda2",), None),
        ('"bad", "r!.*!"', ("/dev/vda2",), False),
        ("'r|.*|'", ("/dev/vda2",), False),
        ("'a|\"|', \"r|it's|\", 'r/vda\\d/'", ("/dev/vda2",), False),
    ],
)
def test_lvm_filters(patterns: str, paths: tuple[str, ...], accepted: bool | None) -> None:
    (setting,) = _get(LvmConf, {"/etc/lvm/lvm.conf": f"devices {{ filter = [ {patterns} ] }}"}).filters
    assert setting.accepts(*paths) is accepted


def test_a_hostile_pattern_ends() -> None:
    (setting,) = _get(LvmConf, {"/etc/lvm/lvm.conf": 'devices { filter = [ "r|(a+)+$|" ] }'}).filters
    assert setting.accepts("/dev/" + "a" * 15 + "!") is True


def test_lvm_devices_file() -> None:
    text = "# LVM\nVERSION=1.1.2\nIDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=ab PART=2\n#IDTYPE=x\nIDTYPE=devname\n"
    found = _get(LvmDevices, {"/etc/lvm/devices/system.devices": text})
    assert [(e.id_type, e.id_name, e.device, e.pvid, e.where.line) for e in found.entries] == [
        ("sys_wwid", "naa.6", "/dev/sda2", "ab", 3), ("devname", "", "", "", 5),
    ]  # fmt: skip
    assert (found.exists, found.refreshes) == (True, False)
    assert _get(LvmDevices, {"/etc/lvm/devices/system.devices": "PRODUCT_UUID=1\n"}).refreshes
    assert _get(LvmDevices, {}) == LvmDevices()


def test_multipath() -> None:
    files = {
        "/etc/multipath.conf": 'multipaths {\n multipath {\n  wwid 3600\n  alias "data"\n }\n# alias no\n}\n',
        "/etc/multipath/bindings": "# x\nmpatha 3600508\nora 36\n",
        "/etc/multipath/wwids": "/3600508/\n",
    }
    found = _get(Multipath, files)
    assert [alias.value for alias in found.aliases] == ["data", "mpatha", "ora"]
    assert [wwid.value for wwid in found.wwids] == ["/3600508/"]
    assert [place.path for place in found.files] == ["/etc/multipath.conf", "/etc/multipath/bindings", "/etc/multipath/wwids"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("/dev/mapper/mpatha", True), ("/dev/mapper/mpathb2", True), ("/dev/mapper/mpatha-part1", True), ("/dev/mapper/data1", True),
        ("/dev/mapper/data", True), ("/dev/mapper/36005076300808b3e9000000000000001", True), ("/dev/disk/by-id/dm-uuid-mpath-36", True),
        ("/dev/mapper/vg-root", False), ("/dev/sda1", False), ("/dev/mapper/luks-1", False),
    ],
)  # fmt: skip
def test_multipath_names(spec: str, expected: bool) -> None:
    assert _get(Multipath, {"/etc/multipath.conf": "alias data\n"}).is_multipath(spec) is expected


def test_device_maps() -> None:
    files: Files = {
        "/boot/grub/device.map": "# x\n(hd0)\t/dev/sda\nhd1 /dev/sdb\n\nodd\n",
        "/boot/grub2/device.map": Link("../grub/device.map"),
    }
    assert [(drive.drive, drive.device.value) for drive in _get(DeviceMap, files).drives] == [("hd0", "/dev/sda"), ("hd1", "/dev/sdb")]


@pytest.mark.parametrize(
    ("files", "value", "names"),
    [
        ({}, None, False),
        ({"initramfs.conf": "RESUME=auto\n"}, "auto", False),
        ({"initramfs.conf": "RESUME=/dev/sda1\n", "conf.d/resume": 'RESUME="UUID=1" # x\n'}, "UUID=1", True),
        ({"conf.d/a": "RESUME=/dev/sda1\n", "conf.d/b": "#RESUME=none\n", "conf.d/c.dpkg-old": "RESUME=none\n"}, "/dev/sda1", True),
        ({"conf.d/a": "RESUME=none\n"}, "none", False),
        ({"conf.d/a": "RESUME=\n"}, "", False),
    ],
)
def test_resume(files: dict[str, str], value: str | None, names: bool) -> None:
    found = _get(ResumeConf, {f"/etc/initramfs-tools/{name}": text for name, text in files.items()})
    assert (found.device.value if found.device else None, found.names_device) == (value, names)


def test_where_grub_is_installed() -> None:
    files = {
        "/var/cache/debconf/config.dat": "Name: a/b\nValue: /dev/sdx\n\nName: grub-pc/install_devices\n"
        "Template: t\nValue: /dev/sda, /dev/sdb\nOwners: x\n",
        "/etc/default/grub_installdevice": "# x\n/dev/disk/by-id/a\nactivate\n",
        "/etc/sysconfig/grub": "boot=/dev/sdc\n",
    }
    assert [device.value for device in _get(GrubInstall, files).devices] == ["/dev/sda", "/dev/sdb", "/dev/disk/by-id/a", "/dev/sdc"]


def test_consoles() -> None:
    files = {
        "/etc/inittab": "# x0:2:respawn:/sbin/getty hvc9\n1:2345:respawn:/sbin/getty 38400 tty1\nh0:2345:respawn:/sbin/agetty 38400 hvc0\n"
        "ttyS0::respawn:/sbin/getty -L ttyS0 115200 vt100\nca::ctrlaltdel:/sbin/reboot\n"
        "x:2:respawn:/sbin/getty\nu:2:respawn:/usr/sbin/daemon\n",
        "/etc/init/hvc0.conf": "", "/etc/init/rc.conf": "",
        "/etc/systemd/system/getty.target.wants/serial-getty@ttyS1.service": "",
        "/etc/systemd/system/getty.target.wants/getty@.service": "",
    }  # fmt: skip
    found = _get(Consoles, files)
    assert [(console.name, console.source, str(console.where)) for console in found.consoles] == [
        ("tty1", "inittab", "/etc/inittab:2:34"),
        ("hvc0", "inittab", "/etc/inittab:3:36"),
        ("ttyS0", "inittab", "/etc/inittab:4:31"),
        ("hvc0", "upstart", "/etc/init/hvc0.conf"),
        ("ttyS1", "systemd", "/etc/systemd/system/getty.target.wants/serial-getty@ttyS1.service"),
    ]
    assert (found.has("hvc0"), found.has("tty9")) == (True, False)


def test_device_mentions() -> None:
    files: Files = {
        "/etc/rc.local": "#!/bin/sh\n# /dev/sdz\nhdparm /dev/sda # /dev/sdy\nls /dev/sd* /dev/sdb[12] /dev/sdaX1 /mnt/dev/sdc /dev/sdd/x\n",
        "/etc/systemd/system/a.mount": "; /dev/sdz\n[Mount]\nWhat=/dev/disk/by-path/pci-0:0-part1\n",
        "/etc/systemd/system/b.service": Link("/usr/lib/systemd/system/b.service"),
        "/usr/lib/systemd/system/b.service": "ExecStart=/x /dev/sdz\n",
        "/etc/udev/rules.d/9.rules": 'KERNEL=="sdb1", ENV{ID_SERIAL}=="36000", RUN+="/x /dev/nvme0n1p2"\n'
        'PROGRAM=="scsi_id x", RESULT=="3600508b1"\nKERNEL=="sd*"\n'
        'SUBSYSTEM=="tty", ENV{ID_SERIAL}=="FTDI"\n',
        "/etc/crontab": "@reboot root mount /dev/disk/by-id/dm-name-x /dev/cciss/c0d0p1\n",
    }
    found = _get(DeviceMentions, files).mentions
    assert [(mention.kind, mention.device, mention.how, mention.key, mention.where.line) for mention in found] == [
        ("script", "/dev/sda", "path", "", 3),
        ("unit", "/dev/disk/by-path/pci-0:0-part1", "path", "What", 3),
        ("udev", "/dev/nvme0n1p2", "path", "", 1),
        ("udev", "/dev/sdb1", "kernel", "", 1),
        ("udev", "36000", "identity", "ID_SERIAL", 1),
        ("udev", "3600508b1", "identity", "RESULT", 2),
        ("cron", "/dev/cciss/c0d0p1", "path", "", 1),
    ]


_PATHS = (
    "/etc/crypttab", "/etc/mdadm.conf", "/etc/lvm/lvm.conf", "/etc/lvm/devices/system.devices", "/etc/multipath.conf",
    "/etc/multipath/wwids",
    "/boot/grub/device.map", "/etc/initramfs-tools/initramfs.conf", "/var/cache/debconf/config.dat", "/etc/inittab", "/etc/rc.local",
    "/etc/default/grub", "/etc/udev/rules.d/1.rules", "/etc/systemd/system/a.mount",
)  # fmt: skip
_KINDS = (Crypttab, MdadmConf, LvmConf, LvmDevices, Multipath, DeviceMap, ResumeConf, GrubInstall, Consoles, DeviceMentions)


@given(st.one_of(st.binary(max_size=200), st.text(alphabet="ARDY=\"'{}[]#, \n/devsda1|", max_size=200).map(str.encode)))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_survived(data: bytes) -> None:
    facts = FactStore((memory_guest(dict.fromkeys(_PATHS, data)),))
    for kind in _KINDS:
        facts.get(kind)
