"""netplan's own generator as an oracle: what it makes of a file for networkd fits the same cards as the file itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.network.landing import NetworkLanding
from v2vlint.facts.network.match import Survival
from v2vlint.model.definition import Definition
from v2vlint.model.rule import Link
from v2vlint.target import load

NETPLAN = shutil.which("netplan")
NETWORKD: Files = {
    "/sbin/init": "",
    "/usr/lib/systemd/systemd-networkd": "",
    "/usr/sbin/netplan": "",
    "/etc/systemd/system/multi-user.target.wants/systemd-networkd.service": Link("/lib/systemd/system/systemd-networkd.service"),
    "/usr/lib/udev/rules.d/80-net-setup-link.rules": 'NAME=="", NAME="$env{ID_NET_NAME}"\n',
    "/usr/lib/systemd/network/99-default.link": "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel onboard slot path\n",
    "/boot/grub/grub.cfg": "menuentry 'x' {\n linux /vmlinuz root=UUID=1 ro\n}\n",
}
MATCHES = [
    "match: {driver: [vmxnet3, virtio_net, hv_netvsc]}",
    "match: {driver: vmxnet3}",
    'match: {driver: "virtio*"}',
    'match: {name: "en*"}',
    'match: {name: "ens*", driver: virtio_net}',
    'match: {macaddress: "52:54:00:12:34:56"}',
    'match: {macaddress: "52:54:00:12:34:56"}\n      set-name: lan0',
    "optional: true",
]
STACKED = """network:
  version: 2
  ethernets:
    eth0: {{match: {{name: "{0}"}}}}
    eth1: {{}}
  bonds:
    bond0: {{interfaces: [eth0, eth1], dhcp4: true}}
  vlans:
    bond0.7: {{id: 7, link: bond0, addresses: [192.0.2.5/24]}}
"""


def generated(root: Path, text: str) -> Files:
    """The .network, .netdev and .link files that netplan makes of ``text``."""
    (root / "etc/netplan").mkdir(parents=True)
    (root / "etc/netplan/01.yaml").write_text(text)
    (root / "etc/netplan/01.yaml").chmod(0o600)
    subprocess.run([str(NETPLAN), "generate", "--root-dir", str(root)], check=True, capture_output=True)
    return {f"/run/systemd/network/{path.name}": path.read_text() for path in (root / "run/systemd/network").iterdir()}


def answers(files: Files) -> list[Survival]:
    targets = ("kvm", "azure", "gce", "vmware", "ec2-nitro", "virtualbox")
    return [fact(NetworkLanding, {**NETWORKD, **files}, load(name), Definition("", "")).outlook.survival for name in targets]


@pytest.mark.skipif(NETPLAN is None, reason="netplan is not installed")
@pytest.mark.parametrize("match", MATCHES)
def test_a_definition_and_what_netplan_generates_fit_the_same_cards(match: str, tmp_path: Path) -> None:
    text = f"network:\n  version: 2\n  ethernets:\n    ens5:\n      {match}\n      dhcp4: true\n"
    assert answers({"/etc/netplan/01.yaml": text}) == answers(generated(tmp_path, text))


@pytest.mark.skipif(NETPLAN is None, reason="netplan is not installed")
@pytest.mark.parametrize("name", ["en*", "eth*", "ens192", "e*"])
def test_bonds_and_vlans_as_well(name: str, tmp_path: Path) -> None:
    text = STACKED.format(name)
    assert answers({"/etc/netplan/01.yaml": text}) == answers(generated(tmp_path, text))
