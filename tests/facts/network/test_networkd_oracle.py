"""systemd-networkd itself as an oracle: the file that it takes for a card is the one that we say it takes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from tests.facts.network.oracle import CARDS, card, needs, networkd_choices
from v2vlint.facts.network.choice import won
from v2vlint.facts.network.match import Survival
from v2vlint.facts.network.networkd import Networkd
from v2vlint.model.rule import Link

FOLDERS = ("/etc/systemd/network", "/run/systemd/network", "/usr/lib/systemd/network")
NAMES = ("eth0", "ens5", "en*", "e*", "!eth0", "!en* lan0", "lan0 eth0", "ens[0-9]", "*", "eth? ens?", "", "wlan0 !eth*", "enp1s0 !en*")
MACS = ("52:54:00:12:34:56", "52-54-00-12-34-57 00:50:56:9A:BC:01", "5254.0012.3456", "aa:bb:cc:dd:ee:ff")
DRIVERS = ("veth", "!veth", "ena ixgbevf vif", "ve*", "!ena veth", "virtio_net veth", "!virtio_net dummy", "v?th x")
TYPES = ("ether", "!loopback", "!ether", "loopback", "ether wlan", "!wlan loopback", "*")
REST = "[Network]\nLinkLocalAddressing=no\n"
FIXED: tuple[Files, ...] = (
    {"/etc/systemd/network/10-a.network": REST},
    {"/etc/systemd/network/10-a.network": f"[Match]\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=eth0\n[Link]\nUnmanaged=yes\n{REST}",
     "/etc/systemd/network/20-b.network": f"[Match]\nName=e*\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=e*\n[Match]\nName=lan0\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=e*\nName=\nName=lan0\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=eth0\n{REST}",
     "/etc/systemd/network/10-a.network.d/x.conf": "[Match]\nName=lan0\n"},
    {"/usr/lib/systemd/network/10-a.network": f"[Match]\nName=*\n{REST}", "/etc/systemd/network/10-a.network": Link("/dev/null"),
     "/usr/lib/systemd/network/20-b.network": f"[Match]\nName=eth0\n{REST}"},
    {"/usr/lib/systemd/network/10-a.network": f"[Match]\nName=*\n{REST}", "/run/systemd/network/10-a.network": "",
     "/usr/lib/systemd/network/20-b.network": f"[Match]\nName=eth0\n{REST}"},
    {"/usr/lib/systemd/network/10-a.network": f"[Match]\nName=*\n{REST}",
     "/etc/systemd/network/10-a.network.d/x.conf": "[Match]\nName=\nName=ens5\n"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nKind=*\nDriver=dummy\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nDriver=!veth dummy\nName=*\nType=!loopback bridge\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nPath=pci-0000:0b:00.0\n{REST}",
     "/etc/systemd/network/20-a.network": f"[Match]\nMACAddress=52:54:00:12:34:56\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=\"eth0\" 'ens5'\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=e*;lan0\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName= ! eth0\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[match]\nname=eth0\n{REST}"},
    {"/etc/systemd/network/10-a.network": f"[Match]\nName=eth0 \\\n  ens5\n{REST}"},
    {"/etc/systemd/network/b.network": f"[Match]\nName=e*\n{REST}", "/run/systemd/network/a.network": f"[Match]\nName=ens5\n{REST}",
     "/usr/lib/systemd/network/A.network": f"[Match]\nName=enp1s0\n{REST}"},
)  # fmt: skip


def generated(seed: int) -> Files:
    """Some .network files with random matches, in random folders, with drop-ins and masks."""
    choose = random.Random(seed)
    files: dict[str, str | bytes | Link] = {}
    for number in range(choose.randint(2, 5)):
        name = f"{choose.randint(10, 40)}-{number}.network"
        text = f"[Match]\n{_settings(choose)}[Link]\n" + ("Unmanaged=yes\n" if choose.random() < 0.1 else "") + REST
        files[f"{choose.choice(FOLDERS)}/{name}"] = text
        if choose.random() < 0.2:
            files[f"{choose.choice(FOLDERS)}/{name}.d/{choose.choice('ab')}.conf"] = f"[Match]\n{_settings(choose)}"
        if choose.random() < 0.15:
            mask: str | Link = Link("/dev/null") if choose.random() < 0.5 else ""
            files.setdefault(f"{FOLDERS[0]}/{name}", mask)
    return files


def _settings(choose: random.Random) -> str:
    keys = {"Name": NAMES, "MACAddress": MACS, "Driver": DRIVERS, "Type": TYPES}
    picked = choose.sample(list(keys), choose.randint(1, 2))
    return "".join(f"{key}={choose.choice(keys[key])}\n" for key in picked for _ in range(choose.choice((1, 1, 2))))


def ours(files: Files) -> dict[str, str]:
    """The path of the file that each card gets as we see it."""
    networkd = fact(Networkd, files)
    configs = sorted((*networkd.interfaces, *networkd.unmanaged), key=lambda config: config.order)
    left_alone = {config.where.path for config in networkd.unmanaged}
    found = {}
    for name, mac in CARDS.items():
        taken = won(card(name, mac), configs, 1)
        assert all(fit is Survival.KEPT for _config, fit in taken), taken
        path = taken[0][0].where.path if taken else ""
        found[name] = "" if path in left_alone else path
    return found


def compare(folder: Path, guests: list[Files]) -> None:
    for files, theirs in zip(guests, networkd_choices(folder, guests), strict=True):
        assert ours(files) == theirs, files


@needs("/lib/systemd/systemd-networkd")
def test_every_special_case_is_taken_as_networkd_takes_it(tmp_path: Path) -> None:
    compare(tmp_path, list(FIXED))


@needs("/lib/systemd/systemd-networkd")
def test_generated_files_are_matched_as_networkd_matches_them(tmp_path: Path) -> None:
    compare(tmp_path, [generated(seed) for seed in range(10)])


@pytest.mark.truth
@needs("/lib/systemd/systemd-networkd")
def test_many_more(tmp_path: Path) -> None:
    compare(tmp_path, [generated(seed) for seed in range(1000, 1100)])
