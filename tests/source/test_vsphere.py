"""Machines of vSphere, by VMware's own simulator (govmomi) with a real disk in its datastore."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import v2vlint
from guestbuild.samples import cached
from tests.source.simulator import Center, flat, govmomi, power_off, simulated
from v2vlint.model.errors import UsageError
from v2vlint.source.doors import vsphere
from v2vlint.source.expand import expand
from v2vlint.source.locate import locate

pytest.importorskip("pyVmomi")
pytestmark = [pytest.mark.slow, govmomi]


@pytest.fixture(scope="module")
def center() -> Iterator[Center]:
    with simulated() as found:
        flat(Path(cached("debian-portable")[0]), found.store / "DC0_H0_VM0/disk1.vmdk")
        power_off(found, "DC0_H0_VM0")
        yield found


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("V2VLINT_VSPHERE_PASSWORD", "pass")


def test_a_machine_is_its_definition_and_its_disks(center: Center) -> None:
    (image,) = v2vlint.check(center.url("DC0/vm/DC0_H0_VM0")).images
    assert not image.problems
    (root,) = image.roots
    assert root.os.distro == "debian"
    (ref,) = expand([center.url("DC0/vm/DC0_H0_VM0")])
    definition = locate(ref).definition
    assert definition is not None
    assert (definition.name, definition.firmware, definition.product) == ("DC0_H0_VM0", "bios", "vmware")
    assert [(disk.bus, disk.model) for disk in definition.disks] == [("scsi", "pvscsi")]
    assert [(nic.mac[:8], nic.model) for nic in definition.nics] == [("00:0c:29", "e1000")]


def test_patterns_choose_and_running_machines_say_so(center: Center) -> None:
    found = expand([center.url("DC0/vm/DC0_H0_*")])
    assert [ref.name.rpartition("/")[2] for ref in found] == ["DC0_H0_VM0", "DC0_H0_VM1"]
    assert [ref.state for ref in found] == ["", "running"]
    assert "no machine matches" in expand([center.url("DC0/vm/nothing*")])[0].problem


def test_a_machine_that_runs_is_read_below_its_last_snapshot(center: Center) -> None:
    url = center.url("DC0/vm/DC0_H0_VM1")
    target = center.store / "DC0_H0_VM1/disk1.vmdk"
    flat(Path(cached("debian-portable")[0]), target)
    for end in ("", "-flat"):
        (target.parent / f"disk1-000001{end}.vmdk").write_bytes(b"what the machine writes to")
    with_overlay(center, "DC0_H0_VM1")
    (ref,) = expand([url])
    assert ref.state == ""
    assert [name.rpartition("/")[2] for name in ref.named] == ["disk1.vmdk"]
    (image,) = v2vlint.check(url, select=["fstab-*"]).images
    assert [root.os.distro for root in image.roots] == ["debian"]
    assert not image.problems


def with_overlay(center: Center, name: str) -> None:
    """What a snapshot makes of the disk: the simulator's own snapshots leave it alone."""
    from pyVim.connect import Disconnect, SmartConnect
    from pyVim.task import WaitForTask
    from pyVmomi import vim

    host, port = center.server.split(":")
    service: Any = SmartConnect(host=host, port=int(port), user="user", pwd="pass", disableSslCertValidation=True)
    machine = service.RetrieveContent().searchIndex.FindByInventoryPath(f"DC0/vm/{name}")
    disk: Any = next(one for one in machine.config.hardware.device if isinstance(one, vim.vm.device.VirtualDisk))
    kind = vim.vm.device.VirtualDisk.FlatVer2BackingInfo
    below = kind(fileName=disk.backing.fileName, diskMode="persistent", datastore=disk.backing.datastore)
    disk.backing = kind(fileName=disk.backing.fileName.replace("disk1", "disk1-000001"), diskMode="persistent", parent=below)
    change = vim.vm.device.VirtualDeviceSpec(operation="edit", device=disk)
    WaitForTask(machine.ReconfigVM_Task(vim.vm.ConfigSpec(deviceChange=[change])))
    Disconnect(service)
    service._stub.DropConnections()


def test_it_is_not_written_to(center: Center) -> None:
    with pytest.raises(UsageError, match="cannot be fixed"):
        v2vlint.fix(center.url("DC0/vm/DC0_H0_VM0"))


def test_who_is_not_trusted_is_not_asked(center: Center, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url = center.url("DC0/vm/*")
    (other,) = expand([url.partition("=")[0] + "=" + "0" * 64])
    assert "another thumbprint" in other.problem
    assert "do not go on" in other.hint
    host, port = center.server.split(":")
    pinned = vsphere._Pinned.of("0" * 64)  # every connection is compared, not only the first
    for _connection in range(2):
        with socket.create_connection((host, int(port))) as plain, pytest.raises(ssl.SSLCertVerificationError, match="thumbprint"):
            pinned.wrap_socket(plain)
    assert "certificate verify failed" in expand([url.partition("?")[0]])[0].problem
    (tmp_path / "certificate").write_text(ssl.get_server_certificate((host, int(port))))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate"))
    assert "certificate key too weak" in expand([url.partition("?")[0]])[0].problem  # the issuer is believed; the simulator's key is old
    (refused,) = expand([url.replace("user@", "user:geheim@")])
    assert "password in a URL" in refused.problem
    assert "geheim" not in repr(refused)
    monkeypatch.delenv("V2VLINT_VSPHERE_PASSWORD")
    monkeypatch.setenv("HOME", str(tmp_path))
    (missing,) = expand([url])
    assert "no password" in missing.problem
    monkeypatch.setenv("V2VLINT_VSPHERE_PASSWORD_FILE", str(tmp_path / "secret"))
    (tmp_path / "secret").write_text("pass\n")
    assert not expand([url])[0].problem
    monkeypatch.delenv("V2VLINT_VSPHERE_PASSWORD_FILE")
    # In place of keyring's own, whose back ends are those of a desktop.
    stored = 'def get_password(service, user): return "pass" if (service, user) == ("vsphere://127.0.0.1", "user") else None'
    (tmp_path / "keyring.py").write_text(stored)
    monkeypatch.syspath_prepend(tmp_path)
    assert not expand([url])[0].problem
