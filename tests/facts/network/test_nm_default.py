"""When NetworkManager connects a card by a profile of its own making; each case was asked of NetworkManager 1.42."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files
from tests.facts.network.test_landing import KEPT, LOST, NM, UDEV, UNSURE, land
from v2vlint.facts.network.match import Survival

LAN = "/etc/NetworkManager/system-connections/lan.nmconnection"
PROFILE = "[connection]\nid=lan\ntype=ethernet\n"
NO_AUTO: Files = {"/usr/lib/NetworkManager/conf.d/00-server.conf": "[main]\nno-auto-default=*\n"}
DEBIAN, IFACES = "[main]\nplugins=ifupdown,keyfile\n[ifupdown]\nmanaged=false\n", "/etc/network/interfaces"
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
