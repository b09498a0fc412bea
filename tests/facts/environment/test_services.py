"""Which services start, and which network managers run."""

from __future__ import annotations

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.environment.services import Services
from v2vlint.facts.network.interface import Manager
from v2vlint.facts.network.managers import NetManagers
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Link

WANTS = "/etc/systemd/system/multi-user.target.wants"
SYSTEMD: Files = {"/usr/lib/systemd/systemd": ""}


def test_systemd_units_links_aliases_and_masks() -> None:
    files: Files = {
        **SYSTEMD,
        f"{WANTS}/ssh.service": Link("/lib/systemd/system/ssh.service"),
        f"{WANTS}/dead.service": Link("/lib/systemd/system/dead.service"),
        "/etc/systemd/system/dead.service": Link("/dev/null"),
        "/etc/systemd/system/network.service": Link("/usr/lib/systemd/system/wicked.service"),
        "/usr/lib/systemd/system/timers.target.wants/vendor.timer": "",
        "/lib/systemd/system/other.service": "",
    }
    services = fact(Services, files)
    assert services.init == "systemd"
    started = {name: services.starts(name) for name in ("ssh", "ssh.service", "dead", "wicked", "network", "vendor.timer", "other")}
    assert started == {
        "ssh": True,
        "ssh.service": True,
        "dead": False,
        "wicked": True,
        "network": True,
        "vendor.timer": True,
        "other": False,
    }
    assert services.masked == {"dead.service"}
    assert services.link_files("ssh") == (WholeFile(f"{WANTS}/ssh.service"),)


TARGETS: Files = {f"/usr/lib/systemd/system/{name}.target": "" for name in ("sysinit", "basic")}
UNIT: Files = {"/usr/lib/systemd/system/a@.service": "[Service]\n"}


@pytest.mark.parametrize(
    ("files", "starts"),
    [
        ({f"{WANTS}/a@x.service": Link("/lib/gone/a@.service")}, False),
        ({f"{WANTS}/a@x.service": Link("/lib/gone/a@.service"), **UNIT}, True),
        ({f"{WANTS}/a@x.service": "a file", **UNIT}, False),
        ({f"{WANTS}/a@x.service": Link("/lib/gone/a@.service"), "/etc/init.d/a@x": ""}, True),
        ({f"{WANTS}/a@x.service": Link("x"), "/usr/lib/systemd/system-generators/netplan": ""}, True),
    ],
)
def test_a_link_counts_where_there_is_such_a_unit_and_a_file_never(files: Files, starts: bool) -> None:
    """Seen in a container but for the script and the generator; of a tree without systemd's targets nothing is certain."""
    assert fact(Services, {**SYSTEMD, **TARGETS, **files}).starts("a@x") is starts
    assert fact(Services, {**SYSTEMD, **files}).starts("a@x") is True


@pytest.mark.parametrize(
    ("files", "init", "starts"),
    [
        ({"/sbin/init": "", "/etc/rc.d/rc3.d/S10network": Link("../init.d/network")}, "sysv", True),
        ({"/sbin/init": "", "/etc/rc.d/rc3.d/K90network": ""}, "sysv", False),
        ({"/sbin/init": "", "/etc/rcS.d/S10network": ""}, "sysv", True),
        ({"/sbin/openrc": "", "/sbin/init": "", "/etc/runlevels/boot/network": Link("/etc/init.d/network")}, "openrc", True),
        ({"/sbin/init": Link("/lib/systemd/systemd"), "/lib/systemd/systemd": ""}, "systemd", False),
        ({"/sbin/initctl": "", "/etc/init/network.conf": "start on x\n"}, "upstart", True),
        ({"/sbin/initctl": "", "/etc/init/network.conf": "x\n", "/etc/init/network.override": "manual\n"}, "upstart", False),
        ({"/etc/rc.d/rc3.d/S10network": ""}, "", None),
    ],
)
def test_other_inits(files: Files, init: str, starts: bool | None) -> None:
    services = fact(Services, files)
    assert (services.init, services.starts("network")) == (init, starts)


@pytest.mark.parametrize(
    ("files", "active"),
    [
        ({f"{WANTS}/NetworkManager.service": ""}, None),
        (SYSTEMD, None),
        ({**SYSTEMD, "/usr/sbin/NetworkManager": "", f"{WANTS}/NetworkManager.service": ""}, {Manager.NETWORK_MANAGER}),
        ({**SYSTEMD, "/usr/sbin/NetworkManager": ""}, set()),
        ({**SYSTEMD, "/sbin/ifup": "", f"{WANTS}/networking.service": ""}, {Manager.IFUPDOWN}),
        ({**SYSTEMD, "/usr/sbin/netplan": "", "/lib/systemd/systemd-networkd": ""}, {Manager.NETPLAN}),
        (
            {**SYSTEMD, "/usr/sbin/wicked": "", "/etc/systemd/system/network.service": Link("/usr/lib/systemd/system/wicked.service")},
            {Manager.WICKED},
        ),
        (
            {"/sbin/init": "", "/etc/sysconfig/network-scripts/ifup-eth": "", "/etc/rc.d/rc3.d/S10network": ""},
            {Manager.NETWORK_SCRIPTS},
        ),
        ({"/sbin/openrc": "", "/lib/netifrc/net/x": "", "/etc/runlevels/default/net.eth0": ""}, {Manager.NETIFRC}),
        ({"/sbin/openrc": "", "/sbin/dhcpcd": "", "/etc/runlevels/default/dhcpcd": ""}, {Manager.DHCPCD}),
    ],
)
def test_which_manager_runs(files: Files, active: set[Manager] | None) -> None:
    managers = fact(NetManagers, files)
    running = {manager for manager in Manager if managers.runs(manager)}
    assert running == (active or set())
    assert managers.runs(Manager.NETWORKD) is (None if active is None else False)


@pytest.mark.parametrize(
    ("plugin", "reads"),
    [
        ("/usr/lib64/NetworkManager/1.40.0-1.el8/libnm-settings-plugin-ifcfg-rh.so", True),
        ("/usr/lib64/NetworkManager/libnm-settings-plugin-ifcfg-rh.so", True),
        ("/usr/lib64/NetworkManager/1.52.0/libnm-device-plugin-wifi.so", False),
    ],
)
def test_the_plugin_for_ifcfg_files(plugin: str, reads: bool) -> None:
    assert fact(NetManagers, {**SYSTEMD, "/usr/sbin/NetworkManager": "", plugin: ""}).nm_reads_ifcfg is reads
