"""What copies share: machine id, host keys, leases, seed, logs; and cloud-init's settings."""

from __future__ import annotations

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact
from v2vlint.facts.environment.identity import Identity
from v2vlint.facts.network.cloud_init import CloudInit
from v2vlint.model.place import WholeFile
from v2vlint.model.rule import Link

ID = "5f2c8d3a6b1e4f7c9a0d2e8b7c6f5a41\n"
CLOUD = "/etc/cloud/cloud.cfg.d"
RUNS: Files = {"/sbin/init": "", "/usr/bin/cloud-init": "", "/etc/systemd/system/cloud-init.target.wants/cloud-init.service": ""}


@pytest.mark.parametrize(
    ("files", "machine_id", "dbus"),
    [
        ({"/etc/machine-id": ID}, f"{ID.strip()}@1:1", False),
        ({"/etc/machine-id": ""}, "-", False),
        ({"/etc/machine-id": "uninitialized\n"}, "-", False),
        ({"/etc/machine-id": ID, "/var/lib/dbus/machine-id": ID}, f"{ID.strip()}@1:1", True),
        ({"/etc/machine-id": "", "/var/lib/dbus/machine-id": Link("/etc/machine-id")}, "-", False),
        ({"/var/lib/dbus/machine-id": ID}, "-", True),
    ],
)
def test_the_machine_id(files: Files, machine_id: str, dbus: bool) -> None:
    identity = fact(Identity, files)
    assert (at(identity.machine_id), identity.dbus_id is not None) == (machine_id, dbus)
    if identity.machine_id:
        assert edited(files, identity.forget_machine_id, "/etc/machine-id") == ""


def test_keys_leases_seed_and_logs() -> None:
    files: Files = {
        "/etc/ssh/ssh_host_rsa_key": "k",
        "/etc/ssh/ssh_host_rsa_key.pub": "p",
        "/etc/ssh/ssh_host_rsa_key.bak": "b",
        "/var/lib/dhcp/dhclient.leases": "lease {}\n",
        "/var/lib/dhcp/empty.leases": "",
        "/var/lib/NetworkManager/internal-u-ens192.lease": "ADDRESS=10.0.0.2\n",
        "/var/lib/systemd/random-seed": b"\x00\x01",
        "/var/log/syslog": "new\n",
        "/var/log/syslog.1": "old\n",
        "/var/log/journal/abc/system.journal": b"LPKSHHRH",
        "/var/log/dmesg.0": "x\n",
    }
    identity = fact(Identity, files)
    assert [key.path for key in identity.host_keys] == ["/etc/ssh/ssh_host_rsa_key", "/etc/ssh/ssh_host_rsa_key.pub"]
    assert [lease.path for lease in identity.leases] == [
        "/var/lib/dhcp/dhclient.leases",
        "/var/lib/NetworkManager/internal-u-ens192.lease",
    ]
    assert identity.random_seed == WholeFile("/var/lib/systemd/random-seed")
    assert [log.path for log in identity.old_logs] == ["/var/log/dmesg.0", "/var/log/syslog.1", "/var/log/journal/abc/system.journal"]


@pytest.mark.parametrize(
    ("files", "makes"),
    [({}, False), ({"/usr/lib/systemd/system/sshd-keygen@.service": "[Unit]\n"}, True), (RUNS, True), ({"/sbin/init": ""}, False)],
)
def test_who_makes_host_keys_again(files: Files, makes: bool) -> None:
    assert fact(Identity, files).makes_host_keys is makes


@pytest.mark.parametrize(
    ("files", "runs"),
    [
        ({}, None),
        ({"/sbin/init": ""}, False),
        (RUNS, True),
        ({**RUNS, "/etc/cloud/cloud-init.disabled": ""}, False),
        ({"/sbin/init": "", "/usr/bin/cloud-init": ""}, False),
    ],
)
def test_whether_cloud_init_runs(files: Files, runs: bool | None) -> None:
    assert fact(CloudInit, files).runs is runs


def test_cloud_inits_settings_from_the_file_that_wins() -> None:
    files: Files = {
        "/etc/cloud/cloud.cfg": "datasource_list: [ NoCloud, None ]\nmanage_etc_hosts: localhost\n",
        f"{CLOUD}/90_dpkg.cfg": "# written by dpkg\ndatasource_list: [ Azure, None ]\n",
        f"{CLOUD}/91.cfg.bak": "datasource_list: [ Ec2 ]\n",
        f"{CLOUD}/50-net.cfg": "network:\n  version: 2\n  ethernets:\n    a: {match: {macaddress: '00:50:56:9a:bc:01'}}\n",
        f"{CLOUD}/92.cfg": "a: [\n",
    }
    cloud_init = fact(CloudInit, files)
    assert [at(token) for token in cloud_init.datasources] == ["Azure@2:20", "None@2:27"]
    assert at(cloud_init.datasources_at) == "2:18"
    assert cloud_init.manages_hosts
    assert [at(mac) for mac in cloud_init.network_macs] == ["00:50:56:9a:bc:01@4:30"]
    assert cloud_init.network_disabled is None
    assert [problem.where.path for problem in cloud_init.problems] == [f"{CLOUD}/92.cfg"]


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({f"{CLOUD}/99.cfg": "network:\n  config: disabled\n"}, "2:11"),
        ({f"{CLOUD}/98.cfg": "network: {config: disabled}\n", f"{CLOUD}/99.cfg": "network: {version: 2}\n"}, "-"),
        ({"/var/lib/cloud/data/upgraded-network": ""}, "/var/lib/cloud/data/upgraded-network"),
        ({}, "-"),
    ],
)
def test_the_network_may_be_forbidden(files: Files, where: str) -> None:
    cloud_init = fact(CloudInit, {**RUNS, **files})
    assert at(cloud_init.network_disabled) == where
    assert cloud_init.writes_network is (where == "-")


def test_ds_identify_dictates_the_source() -> None:
    files = {"/etc/cloud/ds-identify.cfg": "# x\ndatasource: Ec2\n", "/etc/cloud/cloud.cfg": "datasource_list: [ Azure ]\n"}
    assert [at(token) for token in fact(CloudInit, files).datasources] == ["Ec2@2:13"]


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_is_survived(text: str) -> None:
    raw = text.encode("utf-8", "surrogateescape")
    cloud_init = fact(CloudInit, {"/etc/cloud/cloud.cfg": raw, "/etc/cloud/ds-identify.cfg": raw, f"{CLOUD}/x.cfg": raw})
    assert (cloud_init.datasources, cloud_init.network_macs) == ((), ())
    assert fact(Identity, {"/etc/machine-id": raw}).dbus_id is None
