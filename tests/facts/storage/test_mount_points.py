"""Mount points of fstab and of units."""

from __future__ import annotations

from tests.facts.guests import Files, fact
from v2vlint.facts.storage.mount_points import MountPoints
from v2vlint.model.rule import Link

ETC, LIB = "/etc/systemd/system", "/usr/lib/systemd/system"
SYSTEMD: Files = {"/usr/lib/systemd/systemd": "", "/etc/machine-id": "1" * 32}
FSTAB = "UUID=a / ext4 defaults 0 1\n/dev/sdb1 /srv xfs noauto 0 0\n/dev/sdc1 /srv ext4 ro 0 0\n/dev/sdd1 none swap sw 0 0\n"


def unit(device: str, where: str) -> str:
    return f"[Mount]\nWhat={device}\nWhere={where}\nType=xfs\nOptions=ro,nosuid\n[Install]\nWantedBy=local-fs.target\n"


def test_systemd_takes_the_first_entry_of_a_place_and_others_the_last() -> None:
    first = fact(MountPoints, {**SYSTEMD, "/etc/fstab": FSTAB}).at("/srv/")
    last = fact(MountPoints, {"/sbin/openrc": "", "/etc/fstab": FSTAB}).at("/srv")
    assert first is not None
    assert last is not None
    assert (first.device, first.fs_type, first.at_boot) == ("/dev/sdb1", "xfs", False)
    assert (last.device, last.options, last.at_boot) == ("/dev/sdc1", ("ro",), True)


def test_units_in_etc_hide_fstab_which_hides_the_vendor() -> None:
    files = {**SYSTEMD, "/etc/fstab": FSTAB, f"{LIB}/srv.mount": unit("vendor", "/srv")}
    assert (found := fact(MountPoints, files).at("/srv")) is not None
    assert found.device == "/dev/sdb1"
    files |= {f"{ETC}/srv.mount": unit("/dev/own", "/srv")}
    assert (found := fact(MountPoints, files).at("/srv")) is not None
    assert (found.device, found.options, found.at_boot) == ("/dev/own", ("ro", "nosuid"), False)
    files |= {f"{ETC}/local-fs.target.wants/srv.mount": Link(f"{ETC}/srv.mount")}
    assert (found := fact(MountPoints, files).at("/srv")) is not None
    assert found.at_boot


def test_tmp_of_the_vendor_and_escaped_names() -> None:
    files: Files = {
        **SYSTEMD,
        f"{LIB}/tmp.mount": "[Mount]\nWhat=tmpfs\nWhere=/tmp\nType=tmpfs\n",
        f"{LIB}/local-fs.target.wants/tmp.mount": Link("../tmp.mount"),
        f"{ETC}/srv-my\\x2ddata.mount": unit("/dev/x", "/srv/my-data"),
        f"{ETC}/wrong.mount": unit("/dev/y", "/other"),
    }
    found = fact(MountPoints, files)
    assert [(mount.path, mount.at_boot) for mount in found.mounts] == [("/srv/my-data", False), ("/tmp", True)]
