"""ifupdown itself as an oracle: what ``ifup --no-act`` would configure on which card is what we say."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from tests.facts.network.oracle import CARDS, card, ifupdown_choices, needs
from v2vlint.facts.network.ifupdown import Interfaces
from v2vlint.facts.network.match import Survival, fits

PATH = "/etc/network/interfaces"
WORDS = (
    "eth0", "ens5", "enp1s0", "lan0", "ens192", "/en*", "/e*", "/e*=ens5", "/ens*=lan", "eth0=lan", "ens5=ens192", "/mac/00:50:56:*=lan",
    "/mac/52:54:00:12:34:56=lan", "lan", "/eth[0-9]", "/*p1*=lan", "/lan0=lan", "/en*/2=lan",
)  # fmt: skip
STANZAS = ("eth0", "ens5", "enp1s0", "lan0", "lan", "ens192")


def generated(seed: int) -> Files:
    """Some stanzas, started by words of all kinds, partly in sourced files."""
    choose = random.Random(seed)
    lines = ["auto lo", "iface lo inet loopback", "source interfaces.d/*"]
    for name in choose.sample(STANZAS, choose.randint(2, 4)):
        lines.append(f"iface {name} inet {choose.choice(('dhcp', 'manual'))}")
        lines.extend(["  mtu 1400"] if choose.random() < 0.3 else [])
    starts = [f"{choose.choice(('auto', 'allow-hotplug', 'auto'))} {choose.choice(WORDS)}" for _ in range(choose.randint(1, 3))]
    sourced = choose.random() < 0.3
    text = "\n".join(lines + ([] if sourced else starts)) + "\n"
    return {PATH: text, **({"/etc/network/interfaces.d/more": "\n".join(starts) + "\n"} if sourced else {})}


FIXED: tuple[Files, ...] = (
    {PATH: "auto eth0 ens5\niface eth0 inet manual\niface eth0 inet6 auto\niface ens5 inet dhcp\n"},
    {PATH: "allow-hotplug eth0\nauto \\\n  ens5\niface eth0 inet dhcp\niface ens5 inet dhcp\n"},
    {PATH: "iface eth0 inet dhcp\n"},
    {PATH: "auto eth0\n#iface eth0 inet dhcp\niface ens5 inet dhcp\n"},
    {PATH: "source-directory interfaces.d\n", "/etc/network/interfaces.d/a": "auto eth0\niface eth0 inet dhcp\n",
     "/etc/network/interfaces.d/b.bak": "auto ens5\niface ens5 inet dhcp\n"},
    {PATH: "source /etc/network/interfaces.d/*.cfg\n", "/etc/network/interfaces.d/50-cloud-init.cfg": "auto eth0\niface eth0 inet dhcp\n",
     "/etc/network/interfaces.d/b": "auto ens5\niface ens5 inet dhcp\n"},
    {PATH: "auto eth0\niface base inet manual\n mtu 1400\niface eth0 inet dhcp inherits base\n"},
    {PATH: "auto /e*=any\niface any inet dhcp\n"},
    {PATH: "no-auto-down eth0\nno-scripts ens5\nauto eth0 ens5\niface eth0 inet dhcp\niface ens5 inet dhcp\n"},
    {PATH: "auto /en*\niface en* inet dhcp\niface ens5 inet dhcp\n"},
)  # fmt: skip


def ours(files: Files) -> dict[tuple[str, str], Survival]:
    """Whether each logical interface applies to each card, as we see it."""
    found = {}
    for config in fact(Interfaces, files).interfaces:
        for name, mac in CARDS.items() if config.autostart and not config.is_virtual else ():
            found[name, config.ids[0]] = fits(config.match, card(name, mac))
    return found


def compare(folder: Path, guests: list[Files]) -> None:
    for files, theirs in zip(guests, ifupdown_choices(folder, guests), strict=True):
        found = ours(files)
        sure = {pair for pair, fit in found.items() if fit is Survival.KEPT}
        unsure = {pair for pair, fit in found.items() if fit is Survival.UNSURE}
        assert sure <= theirs <= sure | unsure, files


@needs("ifup")
def test_stanzas_apply_to_the_cards_that_ifup_would_configure(tmp_path: Path) -> None:
    compare(tmp_path, [*FIXED, *(generated(seed) for seed in range(60))])


@pytest.mark.truth
@needs("ifup")
def test_many_more(tmp_path: Path) -> None:
    compare(tmp_path, [generated(seed) for seed in range(1000, 1300)])
