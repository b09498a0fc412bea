"""NetworkManager itself as an oracle: the profile that it activates on the only card is the one that we say it takes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from tests.facts.network.oracle import CARDS, card, needs, network_manager_choices
from v2vlint.facts.network.choice import won
from v2vlint.facts.network.match import Survival
from v2vlint.facts.network.nm_keyfile import NmKeyfiles

FOLDER = "/etc/NetworkManager/system-connections"
NAMES = ("eth0;", "ens*;", "&!docker*;|en*;", "!eth0;", "|!eth0;|ens9;", "en*;eth*;", "&en*;&*s0;", "lan?;|eth0;", "!en*;|eth0;")
DRIVERS = ("veth;", "!veth;", "virtio_net;vmxnet3;", "v*;", "&veth;|x;", "!virtio*;")
MACS = ("52:54:00:12:34:56", "52-54-00-12-34-57", "00:50:56:9A:BC:01", "aa:bb:cc:dd:ee:ff")
QUIET = "[ipv4]\nmethod=disabled\n[ipv6]\nmethod=disabled\n"


def profile(number: int, connection: str = "", match: str = "", ethernet: str = "") -> str:
    uuid = f"1d9ba4d2-6b7a-4bd9-a1c7-93f7d8a0a{number:03d}"
    sections = [("connection", f"id=p{number}\nuuid={uuid}\ntype=ethernet\n{connection}"), ("match", match), ("ethernet", ethernet)]
    return "".join(f"[{name}]\n{text}\n" for name, text in sections if text) + QUIET


def generated(seed: int) -> Files:
    """Some profiles with random matches, priorities, times of last use; some do not start by themselves. One card each fits several."""
    choose = random.Random(seed)
    files: dict[str, str] = {}
    times = ""
    for number in range(choose.randint(2, 5)):
        connection = f"autoconnect-priority={choose.choice((-999, -5, 5, 10, 999))}\n" if choose.random() < 0.5 else ""
        connection += "autoconnect=false\n" if choose.random() < 0.15 else ""
        connection += f"multi-connect={choose.choice((0, 1, 2, 3))}\n" if choose.random() < 0.3 else ""
        connection += f"interface-name={choose.choice(list(CARDS))}\n" if choose.random() < 0.2 else ""
        match = f"interface-name={choose.choice(NAMES)}\n" if choose.random() < 0.5 else ""
        match += f"driver={choose.choice(DRIVERS)}\n" if choose.random() < 0.3 else ""
        ethernet = f"mac-address={choose.choice(MACS)}\n" if choose.random() < 0.2 else ""
        files[f"{FOLDER}/{number}.nmconnection"] = profile(number, connection, match, ethernet)
        times += f"1d9ba4d2-6b7a-4bd9-a1c7-93f7d8a0a{number:03d}={choose.randint(1, 3) * 10**9}\n" if choose.random() < 0.4 else ""
    return {**files, **({"/var/lib/NetworkManager/timestamps": f"[timestamps]\n{times}"} if times else {})}


def ours(files: Files, name: str) -> dict[str, str]:
    """The id of the profile that the card ``name`` gets when it is the only one."""
    configs = sorted((one for one in fact(NmKeyfiles, files).interfaces if one.autostart), key=lambda config: config.order)
    taken = won(card(name, CARDS[name]), configs, 1)
    assert all(fit is Survival.KEPT for _config, fit in taken), taken
    return {name: taken[0][0].ids[1]} if taken else {}


def compare(folder: Path, guests: list[Files], name: str) -> None:
    for files, theirs in zip(guests, network_manager_choices(folder, guests, name), strict=True):
        assert ours(files, name) == theirs, files


@needs("NetworkManager", "nmcli", "dbus-daemon")
def test_the_only_card_gets_the_profile_that_networkmanager_chooses(tmp_path: Path) -> None:
    compare(tmp_path, [generated(seed) for seed in range(4)], "ens5")


@pytest.mark.truth
@needs("NetworkManager", "nmcli", "dbus-daemon")
@pytest.mark.parametrize("name", CARDS)
def test_many_more(name: str, tmp_path: Path) -> None:
    compare(tmp_path, [generated(seed) for seed in range(100, 125)], name)
