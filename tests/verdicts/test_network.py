"""The verdict on the network: drivers of the card, and who may still log in by SSH."""

from __future__ import annotations

import dataclasses

import pytest

from tests.verdicts.asking import FAILS, ROOT, UNSURE, WARNS, Told, landing, store, told
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.environment.sshd import Sshd
from v2vlint.facts.network.firewall import Firewalls, SshGate
from v2vlint.model.place import Span, Token
from v2vlint.model.target import Nic
from v2vlint.samples.boot import EXT4, SCSI, VIRTIO, sample_boot, sample_kernel
from v2vlint.target import load
from v2vlint.verdicts.network import NetworkVerdict

E1000, NET = Nic("e1000", (("e1000",),)), load("kvm").nics


def cards(*nics: Nic) -> Landing:
    return dataclasses.replace(landing("vd"), nics=nics)


@pytest.mark.parametrize(
    ("drivers", "there", "found"),
    [
        (("virtio_net",), cards(*NET), []),
        ((), cards(*NET), [FAILS]),
        (("e1000",), cards(*NET), [FAILS]),
        (("e1000",), cards(E1000), [WARNS]),
        ((), cards(E1000), [FAILS]),
        (("e1000",), cards(E1000, *NET), [FAILS]),
    ],
)
def test_a_kernel_without_a_driver_for_the_card(drivers: tuple[str, ...], there: Landing, found: Told) -> None:
    files = sample_boot(sample_kernel((*VIRTIO, *SCSI, *EXT4, *drivers)), args=f"root=UUID={ROOT}")
    judged = store(files, there).get(NetworkVerdict).kernel_drivers
    assert told(judged) == found
    assert [cause.about.replaced for cause in judged] == [one is WARNS for one in found]


SETTLED = {
    "/usr/lib/udev/rules.d/80-net-setup-link.rules": "x\n",
    "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1\n}\n",
}
"""A guest whose names of cards are known: udev's rule, and a command line that does not switch it off."""
UNKNOWN_LINE = dict([*SETTLED.items()][:1])


def token(value: str) -> Token:
    return Token(value, Span("/etc/ssh/sshd_config", 0, len(value), 1))


@pytest.mark.parametrize(
    ("device", "starts", "files", "found"),
    [
        ("ens192", True, SETTLED, [FAILS]),
        ("ens192", None, SETTLED, [WARNS]),
        ("ens192", False, SETTLED, []),
        ("eth0", True, UNKNOWN_LINE, [UNSURE]),
        ("lo", True, SETTLED, []),
    ],
)
def test_an_ssh_socket_bound_to_an_interface(device: str, starts: bool | None, files: dict[str, str], found: Told) -> None:
    judged = store(files, Sshd(devices=(token(device),), starts=starts)).get(NetworkVerdict)
    assert told(judged.sshd) == found


@pytest.mark.parametrize(
    ("listen", "starts", "target", "found"),
    [
        (("10.20.30.40",), True, "ec2-nitro", [UNSURE]),
        (("10.20.30.40",), None, "ec2-nitro", [WARNS]),
        (("10.20.30.40",), False, "ec2-nitro", []),
        (("10.20.30.40", "0.0.0.0"), True, "ec2-nitro", []),
        (("127.0.0.1",), True, "ec2-nitro", []),
        ((), True, "ec2-nitro", []),
    ],
)
def test_an_ssh_server_that_listens_on_one_address(listen: tuple[str, ...], starts: bool | None, target: str, found: Told) -> None:
    judged = store({}, Sshd(listen=tuple(map(token, listen)), starts=starts), target=target).get(NetworkVerdict)
    assert told(judged.sshd) == found


def test_a_target_that_keeps_the_network_keeps_addresses() -> None:
    kept = dataclasses.replace(load("kvm"), keeps_network=True)
    assert told(store({}, Sshd(listen=(token("10.20.30.40"),), starts=True), kept).get(NetworkVerdict).sshd) == []


@pytest.mark.parametrize(
    ("interface", "runs", "files", "found"),
    [
        ("ens192", True, SETTLED, [FAILS]),
        ("ens192", None, SETTLED, [WARNS]),
        ("ens192", False, SETTLED, []),
        ("eth0", True, UNKNOWN_LINE, []),
        ("enp9s0", True, SETTLED, [UNSURE]),
        ("enp9s0", None, SETTLED, [WARNS]),
        ("en+", True, SETTLED, []),
        ("eth+", True, SETTLED, [FAILS]),
    ],
)
def test_a_firewall_that_admits_ssh_on_an_interface(interface: str, runs: bool | None, files: dict[str, str], found: Told) -> None:
    gates = Firewalls((SshGate("nftables", (token(interface),), runs),))
    assert told(store(files, gates).get(NetworkVerdict).firewall) == found
