"""What a guest answers: services, users, mounts, kernel parameters, sshd, the kernel, the registry."""

from __future__ import annotations

import datetime
import hashlib

import pytest

from tests.facts.guests import DEBIAN
from v2vlint.asking.guest import Askable
from v2vlint.asking.views import Missing, NotEvaluated
from v2vlint.engine.questions import Answers, Question, replies
from v2vlint.facts.registry import FactStore
from v2vlint.model.blocks import BlockTable
from v2vlint.model.codec import decode, encode
from v2vlint.model.finding import Mover
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.rule import Content, Hive, Link
from v2vlint.model.source import GuestRef
from v2vlint.samples.boot import sample_boot
from v2vlint.samples.memory import memory_guest
from v2vlint.target import load

STATUS = "Package: openssh-server\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:9.2p1-2\n"
UNIT = "[Install]\nWantedBy=multi-user.target\n"
LINUX: dict[str, Content] = {
    "/usr/lib/systemd/systemd": "",
    "/etc/machine-id": "1" * 32,
    "/usr/lib/systemd/system/ssh.service": f"{UNIT}Alias=sshd.service\n",
    "/usr/lib/systemd/system/web.service": UNIT,
    "/etc/systemd/system/multi-user.target.wants/ssh.service": Link("/usr/lib/systemd/system/ssh.service"),
    "/etc/systemd/system/ctrl-alt-del.target": Link("/dev/null"),
    "/var/lib/dpkg/status": STATUS,
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\nweb:x:1000:1000::/srv/web:/bin/sh\n",
    "/etc/shadow": "root:*:19000:0:99999:7:::\nweb:$6$salt$secrethash:19000:0:90:7::20000:\n",
    "/etc/group": "root:x:0:\nweb:x:1000:\nsudo:x:27:web\n",
    "/etc/fstab": "UUID=a / ext4 ro 0 1\n",
    "/etc/sysctl.d/1.conf": "net.ipv4.ip_forward = 1\nkernel.core_pattern=|/bin/false\n",
    "/etc/ssh/sshd_config": "PermitRootLogin no\nPort 22\nPort 2222\nMatch User bob\nPermitRootLogin yes\n",
    "/etc/link": Link("/etc/fstab"),
}
WINDOWS: dict[str, Content] = {
    "/Windows/System32/config/SYSTEM": Hive(
        '[Select]\n"Current"=dword:1\n"Default"=dword:1\n'
        '[ControlSet001\\Services\\TermService]\n"Start"=dword:3\n"ImagePath"="svchost"\n"Type"=dword:20\n'
        '[ControlSet001\\Services\\sshd]\n"Start"=dword:2\n"Type"=dword:10\n'
    ),
    "/Windows/System32/config/SOFTWARE": Hive('[Policies\\Microsoft]\n"Text"="one"\n"More"=hex(7):61,00,00,00,62,00,00,00,00,00\n'),
}
SERVER = OsInfo("windows", "windows", "windows", "Windows Server", "10.0", "x86_64")


class InMemory(Askable):
    """A guest without an image; answers pass through the same encoding."""

    def __init__(self, files: dict[str, Content], system: OsInfo = DEBIAN) -> None:
        super().__init__(GuestRef("disk.qcow2", "disks", ()))
        self.store = FactStore((memory_guest(files), BlockTable(), system, load("kvm"), Mover.RAW))

    def _answers(self, question: Question) -> Answers:
        return decode(Answers, encode(Answers((), replies(self.store, question))))


@pytest.fixture
def guest() -> InMemory:
    return InMemory(LINUX)


@pytest.mark.parametrize(
    ("name", "state", "enabled"),
    [
        ("ssh", "enabled", True),
        ("web", "disabled", False),
        ("web.service", "disabled", False),
        ("ctrl-alt-del.target", "masked", False),
        ("nothing", "not-found", False),
    ],
)
def test_services(guest: InMemory, name: str, state: str, enabled: bool) -> None:
    service = guest.service(name)
    assert (service.state, service.is_enabled, service.exists, service.is_masked) == (
        state,
        enabled,
        state != "not-found",
        state == "masked",
    )
    assert f"{state} ({service.where})" in repr(service)
    with pytest.raises(NotEvaluated, match="powered off"):
        assert service.is_running


def test_users_and_groups(guest: InMemory) -> None:
    web = guest.user("web")
    assert (web.exists, web.uid, web.group, web.groups, web.gids) == (True, 1000, "web", ["web", "sudo"], [1000, 27])
    assert (web.home, web.shell, web.password_state, web.password_scheme) == ("/srv/web", "/bin/sh", "set", "sha512crypt")
    assert (web.password_max_days, web.expiration_date) == (90, datetime.datetime(2024, 10, 4))
    assert web.shell.where == "/etc/passwd:2:1"
    assert guest.user("root").password_state == "locked"
    assert guest.group("sudo").members == ["web"]
    assert not guest.user("nobody").exists
    assert not guest.group("nobody").exists
    with pytest.raises(Missing, match="no user nobody: there are root, web"):
        assert guest.user("nobody").uid
    assert "secrethash" not in f"{web!r} {vars(web)}"


def test_users_that_a_directory_may_know_are_not_told() -> None:
    guest = InMemory({**LINUX, "/etc/nsswitch.conf": "passwd: files ldap\n"})
    assert guest.user("web").exists
    with pytest.raises(NotEvaluated, match="ldap may know it"):
        assert not guest.user("nobody").exists


def test_mounts_parameters_and_sshd(guest: InMemory) -> None:
    root = guest.mount_point("/")
    assert (root.device, root.filesystem, root.options, root.where) == ("UUID=a", "ext4", ["ro"], "/etc/fstab:1:1")
    assert not guest.mount_point("/srv").exists
    with pytest.raises(Missing, match="mounted at /srv"):
        assert guest.mount_point("/srv").device
    assert guest.sysctl("net.ipv4.ip_forward") == 1
    assert guest.sysctl("kernel.core_pattern") == "|/bin/false"
    assert guest.sshd["PermitRootLogin"] == "no"
    assert guest.sshd["permitrootlogin"].where == "/etc/ssh/sshd_config:1:1"
    assert guest.sshd["PasswordAuthentication"] == "yes"
    assert guest.sshd.all("Port") == ("22", "2222")
    assert guest.sshd.conditional("PermitRootLogin") == ("yes",)
    with pytest.raises(NotEvaluated, match="Ciphers"):
        assert guest.sshd["Ciphers"]


def test_sshd_with_options_on_its_command_line_is_not_told() -> None:
    guest = InMemory({**LINUX, "/etc/default/ssh": "SSHD_OPTS='-o PermitRootLogin=yes'\n"})
    with pytest.raises(NotEvaluated, match="command line"):
        assert guest.sshd["PermitRootLogin"] == "no"


def test_files(guest: InMemory) -> None:
    fstab = guest.file("/etc/fstab")
    assert (fstab.user, fstab.group, fstab.is_executable) == ("root", "root", False)
    assert fstab.content_string == fstab.text
    assert fstab.sha256sum == hashlib.sha256(b"UUID=a / ext4 ro 0 1\n").hexdigest()
    assert guest.file("/etc/link").linked_to == "/etc/fstab"
    with pytest.raises(Missing, match="is no link"):
        assert fstab.linked_to
    with pytest.raises(Missing, match="does not exist"):
        assert guest.file("/etc/nothing").user


def test_the_kernel_that_boots() -> None:
    files = {**LINUX, **sample_boot()}
    guest = InMemory(files)
    assert guest.kernel.version == "6.1.0-13-amd64"
    assert guest.kernel.has("virtio-blk")
    assert not guest.kernel.has("hv_storvsc")


def test_what_nobody_says_is_not_told(guest: InMemory) -> None:
    with pytest.raises(NotEvaluated):
        assert guest.kernel
    with pytest.raises((NotEvaluated, Missing)):
        assert guest.sysctl("vm.swappiness")
    bare = InMemory({})
    with pytest.raises(NotEvaluated, match="no init program"):
        assert not bare.service("ssh").is_enabled
    with pytest.raises(NotEvaluated, match="no package database"):
        assert not bare.package("x").is_installed
    with pytest.raises(Missing, match="no OpenSSH server"):
        assert bare.sshd["Port"]


def test_windows() -> None:
    guest = InMemory(WINDOWS, SERVER)
    assert guest.service("sshd").is_enabled
    assert guest.service("termservice").state == "demand"
    assert not guest.service("TermService").is_enabled
    assert not guest.service("nothing").exists
    key = guest.registry(r"HKLM\SYSTEM\CurrentControlSet\Services\sshd")
    assert (key.exists, key["Start"], key.type("start"), "Nothing" in key) == (True, 2, "REG_DWORD", False)
    assert guest.registry(r"HKLM:\SOFTWARE\Policies").keys_below == ("Microsoft",)
    policy = guest.registry("HKEY_LOCAL_MACHINE/SOFTWARE/Policies/Microsoft")
    assert (policy["Text"], policy["More"]) == ("one", ["a", "b"])
    assert not guest.registry(r"HKLM\SOFTWARE\None").exists
    with pytest.raises(Missing, match="no value Stop: there are Start, Type"):
        assert key["Stop"]
    with pytest.raises(NotEvaluated, match="only HKLM"):
        assert guest.registry(r"HKCU\Software")


def test_a_linux_has_no_registry(guest: InMemory) -> None:
    with pytest.raises(NotEvaluated, match="SYSTEM"):
        assert guest.registry(r"HKLM\SYSTEM\Select").exists
