"""Machines that run: this one, and this one from afar through an sshd of our own; what a script says is a definition."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import v2vlint
from guestbuild.samples import cached
from tests.source.servers import secure_shell, sshd
from v2vlint.files import FilePolicy
from v2vlint.files.remote import pread
from v2vlint.guest.open import open_ref
from v2vlint.model.errors import ImageError, UsageError
from v2vlint.model.source import GuestRef
from v2vlint.source.expand import expand
from v2vlint.source.machine import LiveMachine

SAID = """user\t0
host\tdb7
kernel\t5.14.0-427.el9.x86_64
arch\tx86_64
dmi\tsys_vendor\tDell Inc.
dmi\tproduct_name\tPowerEdge R640
dmi\tproduct_uuid\t4c4c4544-0051-3610-8052-b4c04f4a4e32
efi\tyes
secureboot\t   1
tpm\tyes
memory\t131072000
cpus\t32
cpu\tIntel(R) Xeon(R) Silver 4114 CPU @ 2.20GHz
pci\t0000:18:00.0\t0x010400\t0x1000\t0x005d\tmegaraid_sas
pci\t0000:19:00.0\t0x020000\t0x14e4\t0x165f\ttg3
net\teno1\t4C:D9:8F:00:00:01\ttg3
disk\tsda\t937703088\t0\tPERC H740P Mini\t/sys/devices/pci0000:17/0000:17:00.0/0000:18:00.0/host0/target0:2:0/0:2:0:0/block/sda\tyes
disk\tnvme0n1\t1000\t0\tx\t/sys/devices/pci0000:17/0000:17:01.0/0000:20:00.0/nvme/nvme0/nvme0n1\tno
disk\tsdb\t0\t1\tVirtual CD\t/sys/devices/usb/host1/sdb\tyes
disk\t../../etc\t10\t0\tx\tx\tyes
root\txfs\t/dev/sda3
sftp\t/usr/libexec/openssh/sftp-server
sftp\t/tmp/evil
end
"""


def test_what_the_script_says_is_a_definition() -> None:
    machine = LiveMachine("ssh://db7", SAID)
    found = machine.definition()
    assert (found.name, found.firmware, found.secure_boot, found.tpm) == ("db7", "uefi", True, True)
    assert (found.memory_mib, found.cpus, found.machine) == (128000, 32, "Dell Inc. PowerEdge R640")
    assert [(disk.path, disk.bus, disk.model, disk.capacity) for disk in found.disks] == [
        ("/dev/sda", "scsi", "megaraid_sas", 937703088 * 512),
        ("/dev/nvme0n1", "nvme", "", 512000),
    ]
    assert [(nic.mac, nic.model, nic.network) for nic in found.nics] == [("4c:d9:8f:00:00:01", "tg3", "eno1")]
    assert [(one.bus, one.model) for one in found.controllers] == [("raid", "megaraid_sas")]
    assert found.kernel == "5.14.0-427.el9.x86_64"
    assert found.uuid == "4c4c4544-0051-3610-8052-b4c04f4a4e32"


def test_of_what_it_says_only_known_words_are_acted_on() -> None:
    machine = LiveMachine("ssh://db7", SAID)
    assert machine.server == "/usr/libexec/openssh/sftp-server"
    assert machine.open_disks == ()
    assert LiveMachine("x", SAID.replace("nvme0n1\tno", "nvme0n1\tyes")).disks[1].name == "nvme0n1"
    with pytest.raises(ImageError, match="did not come to an end"):
        LiveMachine("x", SAID.replace("end\n", ""))


def test_this_machine_is_judged_and_only_looked_at() -> None:
    (ref,) = expand(["live:"])
    assert not ref.problem
    report = v2vlint.check("live:", select=["fstab-*"])
    (image,) = report.images
    (root,) = image.roots
    assert root.os.hostname == open_ref(ref).roots[0].os.hostname
    with pytest.raises(UsageError, match="cannot be fixed") as caught:
        v2vlint.fix("live:")
    assert "copy its disks" in caught.value.hint


@sshd
def test_the_same_machine_from_afar_says_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure_shell(tmp_path) as (login, command):
        monkeypatch.setenv("V2VLINT_SSH", command)
        (near,), (far,) = expand(["live:"]), expand([f"ssh://{login}"])
        assert not far.problem
        here, there = LiveMachine("x", near.text).definition(), LiveMachine("x", far.text).definition()
        assert there == here
        for _attempt in range(3):  # files of a machine in use come and go between the two audits
            one, other = v2vlint.check("live:", f"ssh://{login}", select=["fstab-*", "private-*"]).images
            if one.roots[0].targets[0].results == other.roots[0].targets[0].results:
                break
        assert one.roots[0].os == other.roots[0].os
        assert one.roots[0].targets[0].results == other.roots[0].targets[0].results


@sshd
@pytest.mark.skipif(shutil.which("ansible-inventory") is None, reason="needs ansible-core")
def test_an_inventory_of_ansible_is_its_machines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with secure_shell(tmp_path) as (login, command):
        port = login.rpartition(":")[2]
        monkeypatch.setenv("V2VLINT_SSH", f"ssh -F none -oUserKnownHostsFile={tmp_path}/known")
        hosts = f"""[db]
db7 ansible_host=127.0.0.1 ansible_port={port} ansible_user=root ansible_ssh_private_key_file={tmp_path}/user
[web]
here ansible_connection=local
win ansible_connection=winrm
pod ansible_connection=kubernetes.core.kubectl ansible_kubectl_namespace=shop ansible_kubectl_pod=web-0
lost ansible_host=127.0.0.1 ansible_port=1 ansible_ssh_common_args='-oConnectTimeout=1'
"""
        (tmp_path / "hosts.ini").write_text(hosts)
        monkeypatch.chdir(tmp_path)
        (far,) = expand(["ansible://db?ansible_inventory=hosts.ini"])
        assert (far.name, far.problem) == ("ansible://db7", "")
        monkeypatch.setenv("V2VLINT_SSH", command)
        assert LiveMachine("x", far.text).definition() == LiveMachine("x", expand([f"ssh://{login}"])[0].text).definition()
        found = expand(["ansible://web?ansible_inventory=hosts.ini"])
        assert [ref.name for ref in found] == ["live:", "ansible://win", "kubectl://shop/web-0", "ansible://lost"]
        assert "winrm" in found[1].problem
        assert "onnection refused" in found[3].problem
        assert "no host" in expand(["ansible://mail?ansible_inventory=hosts.ini"])[0].problem


@sshd
def test_a_disk_is_read_as_root_by_a_server_that_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = os.urandom(3 << 20)
    (tmp_path / "disk").write_bytes(data)
    with secure_shell(tmp_path) as (login, command):
        monkeypatch.setenv("V2VLINT_SSH", command)
        (near,) = expand(["live:"])
        url = f"sftp://{login}{tmp_path}/disk"
        policy = FilePolicy.naming([url], queries=((url, f"server={LiveMachine('x', near.text).server}&size={len(data) - 512}"),))
        opened = policy.open(url)
        assert opened.size == len(data) - 512
        assert pread(opened.descriptor, 1 << 20, 12345) == data[12345 : 12345 + (1 << 20)]
        opened.stream().close()


@pytest.mark.parametrize(
    "argument", ["ssh://u:geheim@host", "ssh://host/path", "ssh://", "ssh://-oProxyCommand=x", "live:x", "ssh://nowhere.invalid"]
)
def test_what_cannot_be_reached_is_told(argument: str) -> None:
    (ref,) = expand([argument])
    assert ref.problem
    assert "geheim" not in repr(ref)


def test_disks_and_hardware_make_one_guest(tmp_path: Path) -> None:
    (image,) = cached("debian-portable")
    raw = tmp_path / "sda"
    subprocess.run(("qemu-img", "convert", "-O", "raw", str(image), str(raw)), check=True)
    guest = open_ref(GuestRef("live:", "machine", (), SAID, named=(str(raw),), trees=("/",)))
    assert guest.definition is not None
    assert guest.definition.firmware == "uefi"
    assert [root.device for root in guest.roots] == ["disk1p1"]
    assert not guest.problems


@sshd
def test_a_login_that_prints_something_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    talk = tmp_path / "talk"
    talk.write_text('#!/bin/sh\necho Welcome to web1\nexec sh -c "$SSH_ORIGINAL_COMMAND"\n')
    talk.chmod(0o700)
    with secure_shell(tmp_path, f"ForceCommand {talk}") as (login, command):
        monkeypatch.setenv("V2VLINT_SSH", command)
        (ref,) = expand([f"ssh://{login}"])
        assert "its login prints 'Welcome to web1'" in ref.problem
        assert "interactive shells only" in ref.hint
        (ref,) = expand([f"sftp://{login}/etc/fstab"])
        assert "text: 'Welc'" in open_ref(ref).problems[0].reason


@sshd
@pytest.mark.parametrize(("forced", "said"), [("/usr/sbin/nologin", "This account is"), ("/bin/false", "said nothing, and ended with 1")])
def test_a_login_without_a_shell_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, forced: str, said: str) -> None:
    with secure_shell(tmp_path, f"ForceCommand {forced}") as (login, command):
        monkeypatch.setenv("V2VLINT_SSH", command)
        assert said in expand([f"ssh://{login}"])[0].problem


def test_a_failed_login_is_not_tried_again_for_each_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "ssh"
    program.write_text(f"#!/bin/sh\necho once >> {tmp_path}/log\necho 'Permission denied (publickey).' >&2\nexit 255\n")
    program.chmod(0o700)
    monkeypatch.setenv("V2VLINT_SSH", str(program))
    for name in "abc":
        (ref,) = expand([f"sftp://refused/{name}.qcow2"])
        assert "Permission denied (publickey)" in open_ref(ref).problems[0].reason
    assert (tmp_path / "log").read_text() == "once\n"
