"""LVM's filters and devices file against the disks of the target."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.verdicts.asking import EL9, FAILS, ON_VOLUME, REPAIRED, ROOT, WARNS, Told, landing, store, told, volumes
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.model.osinfo import OsInfo
from v2vlint.target import load
from v2vlint.verdicts.mounts import MountsVerdict

WWID = "IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x\n"
NAMED = "IDTYPE=devname IDNAME=/dev/vda3 DEVNAME=/dev/vda3 PVID=pv3\n"
GRUB = f"menuentry 'x' {{\n linux /boot/vmlinuz root=UUID={ROOT}\n}}\n"


@pytest.mark.parametrize(
    ("listed", "os", "converts", "found"),
    [
        (None, EL9, False, [FAILS]),
        (WWID, EL9, False, []),
        ("", EL9, False, []),
        (WWID, EL9, True, [FAILS]),
        (WWID, replace(EL9, version="8.9"), False, [FAILS]),
        (WWID, replace(EL9, version="40", distro="fedora"), False, []),
        (WWID, replace(EL9, version="2023", distro="amzn"), False, []),
        (WWID, None, False, [FAILS]),
    ],
)
def test_with_a_devices_file_filters_are_ignored(listed: str | None, os: OsInfo | None, converts: bool, found: Told) -> None:
    """ "Please remove the lvm.conf filter, it is ignored with the devices file": LVM 2.03.16 on loop devices."""
    files = {"/etc/fstab": ON_VOLUME, "/etc/lvm/lvm.conf": 'devices {\n filter = [ "r|.*|" ]\n}\n'}
    files |= {} if listed is None else {"/etc/lvm/devices/system.devices": listed}
    given = (volumes(3), landing("vd"), Refusals(converts=converts), *((os,) if os else ()))
    assert told(store(files, *given).get(MountsVerdict).lvm_filters) == found


@pytest.mark.parametrize(
    ("listed", "target", "conf", "found"),
    [
        (NAMED, "kvm", "", []),
        (NAMED, "hyperv-gen2", "", [FAILS]),
        (NAMED, "ec2-nitro", "", [FAILS]),
        (NAMED, "ec2-nitro", 'search_for_devnames = "all"', []),
        (NAMED, "ec2-nitro", 'search_for_devnames = "auto"', [FAILS]),
        (NAMED, "vmware", "", []),
        (NAMED.replace("vda", "sda"), "hyperv-gen2", "", []),
        (NAMED.replace("vda", "sda"), "ec2-nitro", "", [FAILS]),
        (NAMED + WWID.replace("PVID=x", "PVID=pv2"), "kvm", "", [WARNS]),
        (WWID.replace("PVID=x", "PVID=pv3"), "kvm", "", [FAILS]),
        (NAMED.replace("pv3", "none") + WWID, "kvm", "", [FAILS]),
    ],
)
def test_which_volumes_lvm_finds_again(listed: str, target: str, conf: str, found: Told) -> None:
    """LVM looks for what it knew by a name on disks that have nothing better."""
    files = {
        "/etc/fstab": ON_VOLUME,
        "/etc/lvm/devices/system.devices": listed,
        "/etc/lvm/lvm.conf": f"devices {{\n {conf}\n}}\n",
        "/boot/grub/grub.cfg": GRUB,
    }
    assert told(store(files, volumes(3), EL9, load(target)).get(MountsVerdict).lvm_devices) == found


@pytest.mark.parametrize(
    ("line", "conf", "os", "converts", "found"),
    [
        ("IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x", "", EL9, False, [FAILS]),
        ("IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x", "", EL9, True, [REPAIRED]),
        ("IDTYPE=devname IDNAME=/dev/sda2 DEVNAME=/dev/sda2 PVID=x", "", EL9, False, []),
        ("IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x", "use_devicesfile = 0", EL9, False, []),
        ("IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x", "", None, False, []),
        ("IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x", "use_devicesfile = 1", None, False, [FAILS]),
        ("PRODUCT_UUID=1\nIDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x", "", EL9, False, [WARNS]),
    ],
)
def test_the_devices_file_of_lvm(line: str, conf: str, os: OsInfo | None, converts: bool, found: Told) -> None:
    files = {
        "/etc/fstab": ON_VOLUME,
        "/etc/lvm/devices/system.devices": line + "\n",
        "/etc/lvm/lvm.conf": f"devices {{\n {conf}\n}}\n",
        "/boot/grub/grub.cfg": f"menuentry 'x' {{\n linux /boot/vmlinuz root=UUID={ROOT}\n}}\n",
    }
    given = (volumes(3), Refusals(converts=converts), *((os,) if os else ()))
    assert told(store(files, *given).get(MountsVerdict).lvm_devices) == found


@pytest.mark.parametrize(("argument", "found"), [("rd.lvm.lv=vg/data", [WARNS]), ("rd.lvm.vg=vg", [WARNS]), ("rd.lvm.lv=vg/root", [FAILS])])
def test_a_volume_that_dracut_activates_is_not_lost(argument: str, found: Told) -> None:
    files = {
        "/etc/fstab": ON_VOLUME,
        "/etc/lvm/devices/system.devices": "IDTYPE=sys_wwid IDNAME=naa.6 DEVNAME=/dev/sda2 PVID=x\n",
        "/boot/grub/grub.cfg": f"menuentry 'x' {{\n linux /boot/vmlinuz root=UUID={ROOT} {argument}\n}}\n",
    }
    assert told(store(files, volumes(3), EL9).get(MountsVerdict).lvm_devices) == found
