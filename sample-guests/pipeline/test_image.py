"""What the published image must be. Nothing is booted, no root and no KVM are needed."""

from __future__ import annotations

import pytest

from pytest_v2vlint import Guest, assert_portable


@pytest.mark.parametrize("target", ["kvm", "vmware", "azure"])
def test_it_moves_everywhere(guest: Guest, target: str) -> None:
    assert_portable(guest, target, fail_on="warning")


def test_it_is_the_system_we_ship(guest: Guest) -> None:
    assert guest.os.distro == "debian"
    assert guest.os.version.startswith("12")
    assert not guest.package("open-vm-tools").is_installed


def test_disks_are_mounted_by_uuid(guest: Guest) -> None:
    for entry in guest.fstab:
        assert entry.spec.startswith("UUID=")


def test_it_boots_with_a_serial_console(guest: Guest) -> None:
    args = guest.bootloader.default.args
    assert "ttyS0,115200" in args.all("console")
    assert args["root"] == guest.fstab.entry("/").spec


def test_the_initramfs_knows_every_cloud(guest: Guest) -> None:
    for driver in ("virtio_blk", "virtio_scsi", "nvme", "hv_storvsc", "vmw_pvscsi"):
        assert guest.initramfs.has(driver)


def test_the_network_comes_up_on_any_card(guest: Guest) -> None:
    assert any(interface.dhcp and not interface.name for interface in guest.network.interfaces)


def test_services_start(guest: Guest) -> None:
    assert guest.service("systemd-networkd").is_enabled
    assert not guest.service("telnet").exists


def test_nobody_logs_in_with_a_password(guest: Guest) -> None:
    assert guest.user("root").password_state == "locked"
    web = guest.user("web")
    assert web.shell == "/usr/sbin/nologin"
    assert web.groups == ["web"]


def test_it_forwards_nothing(guest: Guest) -> None:
    assert guest.sysctl("net.ipv4.ip_forward") == 0
    assert guest.file("/etc/shadow").user == "root"
