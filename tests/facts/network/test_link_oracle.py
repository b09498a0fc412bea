"""udev's net_setup_link as an oracle: the .link file that it applies to a card is the first that fits by our rules."""

from __future__ import annotations

import random
from pathlib import Path

from tests.facts.guests import Files, fact
from tests.facts.network.oracle import CARDS, card, link_choices, needs
from v2vlint.facts.network.match import Survival, fits
from v2vlint.facts.network.network import Network
from v2vlint.facts.network.systemd_link import SystemdLinks

NAMES = ("eth0", "en*", "!eth0", "e* lan0", "*", "wlan0", "ens5 enp1s0", "lan0 !en*")
MACS = ("52:54:00:12:34:56", "00:50:56:9A:BC:01 5254.0012.3457", "aa:bb:cc:dd:ee:ff")
DRIVERS = ("veth", "!veth", "vmxnet3 ve*", "virtio_net")
DEFAULT = "[Match]\nOriginalName=*\n[Link]\nNamePolicy=keep kernel database onboard slot path\n"
LINKS = ("Name=wan7\n", "Name=wan7\nNamePolicy=path\n", "WakeOnLan=off\n", "NamePolicy=kernel\n", "MTUBytes=1400\n")


def generated(seed: int) -> Files:
    """Some .link files before udev's own."""
    choose = random.Random(seed)
    files = {"/usr/lib/systemd/network/99-default.link": DEFAULT}
    for number in range(choose.randint(1, 4)):
        keys = {"OriginalName": NAMES, "MACAddress": MACS, "Driver": DRIVERS}
        match = "".join(f"{key}={choose.choice(keys[key])}\n" for key in choose.sample(list(keys), choose.randint(0, 2)))
        folder = choose.choice(("/etc", "/usr/lib"))
        files[f"{folder}/systemd/network/{choose.randint(10, 98)}-{number}.link"] = f"[Match]\n{match}[Link]\n{choose.choice(LINKS)}"
    return files


def ours(files: Files) -> dict[str, str]:
    links = fact(SystemdLinks, files).links
    found = {}
    for name, mac in CARDS.items():
        answers = [(link.path, fits(link.conditions, card(name, mac))) for link in links]
        assert all(fit is not Survival.UNSURE for _path, fit in answers)
        found[name] = next((path for path, fit in answers if fit is Survival.KEPT), "")
    return found


@needs("udevadm")
def test_the_first_link_file_that_fits_is_applied(tmp_path: Path) -> None:
    guests = [generated(seed) for seed in range(12)]
    for files, theirs in zip(guests, link_choices(tmp_path, guests), strict=True):
        assert ours(files) == theirs, files


def test_a_link_file_without_a_name_leaves_the_kernels() -> None:
    wake = {"/etc/systemd/network/10-wake.link": "[Match]\nOriginalName=*\n[Link]\nWakeOnLan=magic\n"}
    pins = fact(Network, {"/usr/lib/udev/rules.d/80-net-setup-link.rules": "x\n", **generated(0), **wake}).pins
    assert pins[0].name.value == ""
