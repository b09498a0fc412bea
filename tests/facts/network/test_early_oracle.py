"""cloud-init's converter and NetworkManager's initramfs generator as oracles: which cards their input names."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.facts.guests import fact
from v2vlint.facts.network.cloud_init import CloudInit
from v2vlint.facts.network.early_network import EarlyNetwork
from v2vlint.facts.network.match import MatchKey
from v2vlint.facts.network.netplan import Netplan

GENERATOR = next(
    (path for path in ("/usr/libexec/nm-initrd-generator", "/usr/lib/NetworkManager/nm-initrd-generator") if Path(path).exists()), ""
)
CONFIG = "/etc/cloud/cloud.cfg.d/90-network.cfg"
V1 = "version: 1\nconfig:\n"
NETWORKS = (
    "version: 2\nethernets:\n  ens160:\n    dhcp4: true\n",
    "version: 2\nethernets:\n  lan:\n    match:\n      name: en*\n    dhcp4: true\n  ens192:\n    addresses: [192.0.2.5/24]\n",
    f"{V1}  - type: physical\n    name: eth0\n    subnets: [{{type: dhcp}}]\n  - type: physical\n    name: ens224\n",
    f"{V1}  - type: physical\n    name: eth0\n    mac_address: '52:54:00:12:34:56'\n    subnets: [{{type: dhcp}}]\n",
)
ARGUMENTS = (
    "ip=192.0.2.5::192.0.2.1:255.255.255.0:web1:ens192:none rd.neednet=1",
    "ip=ens192:dhcp",
    "ip=dhcp",
    "ip=:::::eth0:dhcp",
    "ip=[2001:db8::5]::[2001:db8::1]:64:web1:ens192:none",
    "ip=ens192:dhcp ip=ens224:off",
    "ip=192.0.2.5:192.0.2.9:192.0.2.1:24::ens192:off:1500",
    "vlan=ens192.5:ens192 ip=ens192.5:dhcp",
)


@pytest.mark.skipif(shutil.which("cloud-init") is None, reason="cloud-init is not installed")
@pytest.mark.parametrize("text", NETWORKS)
def test_cloud_init_names_the_cards_that_we_say(text: str, tmp_path: Path) -> None:
    (tmp_path / "in.yaml").write_text(text)
    command = ["cloud-init", "devel", "net-convert", "-p", "in.yaml", "-k", "yaml", "-d", "out", "-D", "debian", "-O", "netplan"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    rendered = (tmp_path / "out/etc/netplan/50-cloud-init.yaml").read_text()
    theirs = fact(Netplan, {"/etc/netplan/50-cloud-init.yaml": rendered}).interfaces
    ours = fact(CloudInit, {CONFIG: "network:\n" + "".join(f"  {line}\n" for line in text.splitlines())})
    conditions = [condition for one in theirs if one.mac is None for condition in one.match]
    names = {term.value.value for each in conditions if each.key in (MatchKey.NAME, MatchKey.ANY_NAME) for term in each.terms}
    assert {token.value for token in ours.network_names} == names
    assert {token.value for token in ours.network_macs} == {one.mac.value for one in theirs if one.mac is not None}


@pytest.mark.skipif(not GENERATOR, reason="NetworkManager's generator is not installed")
@pytest.mark.parametrize("words", ARGUMENTS)
def test_networkmanagers_generator_names_the_cards_that_we_say(words: str) -> None:
    done = subprocess.run([GENERATOR, "-s", "--", *words.split()], check=True, capture_output=True, text=True)
    theirs = set(re.findall(r"^(?:interface-name|parent)=(\S+)", done.stdout, re.MULTILINE))
    entry = f"menuentry 'x' {{\n linux /vmlinuz root=UUID=1 {words}\n}}\n"
    assert {card.name for card in fact(EarlyNetwork, {"/boot/grub/grub.cfg": entry}).cards if card.name} == theirs
