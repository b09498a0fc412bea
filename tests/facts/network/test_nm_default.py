"""When NetworkManager connects a card by a profile of its own making; each case was asked of NetworkManager 1.42."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files, fact
from tests.facts.network.test_landing import KEPT, LOST, NM, UDEV, UNSURE, land
from v2vlint.facts.network.bound_services import BoundServices
from v2vlint.facts.network.match import Survival
from v2vlint.model.errors import FactUnavailable

LAN = "/etc/NetworkManager/system-connections/lan.nmconnection"
PROFILE = "[connection]\nid=lan\ntype=ethernet\n"
NO_AUTO: Files = {"/usr/lib/NetworkManager/conf.d/00-server.conf": "[main]\nno-auto-default=*\n"}
DEBIAN, IFACES = "[main]\nplugins=ifupdown,keyfile\n[ifupdown]\nmanaged=false\n", "/etc/network/interfaces"
NO_AUTO_TEXT = "[main]\nno-auto-default=*\n"
SNIPPET = "/etc/NetworkManager/conf.d/90.conf"
CONF = "/etc/NetworkManager/NetworkManager.conf"


@pytest.mark.parametrize(
    ("files", "survival"),
    [
        ({}, KEPT),
        ({LAN: PROFILE}, KEPT),
        ({LAN: f"{PROFILE}autoconnect=false\n"}, UNSURE),
        ({LAN: f"{PROFILE}autoconnect=off\n"}, KEPT),  # nothing that GLib understands
        ({LAN: f"{PROFILE}permissions=user:alice:;\n"}, UNSURE),
        ({LAN: f"{PROFILE}[ipv4]\nmethod=disabled\n[ipv6]\nmethod=disabled\n"}, UNSURE),
        ({LAN: f"{PROFILE}autoconnect=false\ninterface-name=ens192\n"}, KEPT),
        ({LAN: f"{PROFILE}interface-name=ens192\n", f"{LAN}.old": f"{PROFILE}autoconnect=false\n"}, LOST),
        ({LAN: f"{PROFILE}interface-name=ens192\n"}, KEPT),
        ({LAN: f"{PROFILE}type=vlan\n"}, KEPT),
        ({CONF: "[main]\nno-auto-default=interface-name:en*\n"}, UNSURE),
        ({CONF: "[main]\nno-auto-default=interface-name:eth*\n"}, KEPT),
        ({CONF: "[keyfile]\nunmanaged-devices=driver:virtio_net\n"}, UNSURE),
        ({CONF: "[keyfile]\nunmanaged-devices=driver:virtio_net\n", LAN: PROFILE}, UNSURE),
        ({CONF: DEBIAN, IFACES: "iface ens3 inet manual\niface enp1s0 inet manual\n"}, UNSURE),
        ({CONF: DEBIAN, IFACES: "iface ens192 inet manual\n", LAN: PROFILE}, KEPT),
        ({CONF: DEBIAN, IFACES: "auto enp1s0\n"}, KEPT),
        ({CONF: DEBIAN.replace("false", "true"), IFACES: "iface enp1s0 inet manual\n"}, KEPT),
        ({CONF: "; mine\n[main]\n"}, LOST),
        # Lists that grow and shrink, over files (`NetworkManager --print-config`).
        ({**NO_AUTO, CONF: "[main]\nno-auto-default+=00:11:22:33:44:55\n", LAN: f"; mine\n{PROFILE}"}, LOST),
        ({**NO_AUTO, CONF: "[main]\nno-auto-default=00:11:22:33:44:55\n"}, KEPT),
        ({**NO_AUTO, CONF: "[main]\nno-auto-default-=*\n"}, KEPT),
        ({CONF: "[main]\nno-auto-default-=*\n"}, KEPT),
        ({CONF: "[keyfile]\nunmanaged-devices=type:ethernet\nunmanaged-devices+=interface-name:veth*\n"}, UNSURE),
        ({CONF: "[keyfile]\nunmanaged-devices=type:ethernet\nunmanaged-devices=interface-name:veth*\n"}, KEPT),
        # Drop-ins that do not apply, and one of which that is not known.
        ({SNIPPET: f"[.config]\nenable=env:initrd\n{NO_AUTO_TEXT}", LAN: f"; mine\n{PROFILE}"}, KEPT),
        ({SNIPPET: f"[.config]\nenable=false\n{NO_AUTO_TEXT}", LAN: f"; mine\n{PROFILE}"}, KEPT),
        ({SNIPPET: f"[.config]\nenable=yes\n{NO_AUTO_TEXT}", LAN: f"; mine\n{PROFILE}"}, LOST),
        ({SNIPPET: "[.config]\nenable=nm-version-max:1.0\n[main]\n", **NO_AUTO, LAN: f"; mine\n{PROFILE}"}, UNSURE),
        ({CONF: f"[.config]\nenable=false\n{NO_AUTO_TEXT}", LAN: f"; mine\n{PROFILE}"}, LOST),
        ({SNIPPET: "[.config]\nenable=false\n; mine\n"}, LOST),
        # What a refused profile would have been.
        ({LAN: f"\ufeff{PROFILE.replace('ethernet', 'wifi')}", **NO_AUTO}, UNSURE),
        ({LAN: "; mine\n[connection]\nid=w\n[wifi]\n", **NO_AUTO}, UNSURE),
        ({LAN: f"; mine\n{PROFILE.replace('ethernet', 'bond')}interface-name=bond0\n", **NO_AUTO}, LOST),
        ({LAN: f"; mine\n{PROFILE}master=bond0\n", **NO_AUTO}, LOST),
        ({LAN: f"{PROFILE}[ipv6]\nmethod=disabled\n", **NO_AUTO}, KEPT),
        ({CONF: "# mine\n[main]\n"}, KEPT),
        ({CONF: "plugins=keyfile\n", LAN: PROFILE}, LOST),
        ({CONF: "[main]\nplugins=keyfile\n", LAN: PROFILE}, KEPT),
        ({LAN: f"; mine\n{PROFILE}"}, KEPT),
        ({LAN: f"; mine\n{PROFILE}", **NO_AUTO}, LOST),
        ({LAN: f"; mine\n{PROFILE}autoconnect=false\n", **NO_AUTO}, UNSURE),
        ({LAN: f"; mine\n{PROFILE}", f"{LAN}.old": PROFILE, **NO_AUTO}, KEPT),
    ],
)
def test_networkmanager_connects_a_card_that_it_has_no_profile_for(files: Files, survival: Survival) -> None:
    assert land({**UDEV, **NM, **files}).outlook.survival is survival


def test_what_the_initramfs_brings_up_may_stay() -> None:
    config = "menuentry 'x' {\n linux /vmlinuz root=/dev/sda1 ip=dhcp rd.neednet=1\n}\n"
    files: Files = {**UDEV, **NM, **NO_AUTO, LAN: f"; mine\n{PROFILE}", "/boot/grub/grub.cfg": config, "/vmlinuz": "x"}
    assert land(files).outlook.survival is UNSURE


def test_the_same_file_is_not_searched_for_each_service() -> None:
    """One token, one binding."""
    files: Files = {"/etc/rc.conf": 'rc_need="net.ens192"\nrc_sshd_need=net.ens224\n', "/sbin/openrc": "", "/sbin/init": ""}
    for name in ("sshd", "cron"):
        files = {**files, f"/etc/runlevels/default/{name}": "", f"/etc/init.d/{name}": ""}
    found = fact(BoundServices, files)
    assert [(one.program, one.token.value) for one in found.bindings] == [("OpenRC", "ens192"), ("sshd", "ens224")]


def test_more_settings_than_we_read_are_not_held_against_networkmanager() -> None:
    files: Files = {**UDEV, **NM, CONF: "[main]\n" + "".join(f"k{number}=1\n" for number in range(20_001))}
    with pytest.raises(FactUnavailable, match="more than"):
        land(files)
