"""The network's forecast against tiny guests that boot: names of cards, and whether an address is taken or used.

``python -m tests.proving.test_netboot`` boots all situations and writes docs/network-truth.md; ``--only WORD`` picks some.
"""

from __future__ import annotations

import argparse
import datetime
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.proving.netboot import NetBoot, NetGuest, boot, can_boot
from tests.proving.situations import SITUATIONS, predicted, predicted_names
from v2vlint.facts.network.match import Survival

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "network-truth.md"
FAST = ("its name", "VMware's name", "a udev rule by driver")
NOT_YET = "not booted yet"
HEAD = """# Booted networks

Tiny guests of Debian 12's kernel, udev and network managers, each judged by `v2vlint` for a libvirt domain and then booted under QEMU by
emulation as that domain (`python -m tests.proving.test_netboot`). The boot is right where the two differ.

"""
COLUMNS = "| situation | manager | machine | card is called | forecast | what the card did |\n|---|---|---|---|---|---|"
needs_boot = pytest.mark.skipif(not can_boot(), reason="not all programs of the guests are here")


def agrees(guest: NetGuest, names: dict[str, str], network: str) -> bool:
    """Whether the forecast has the names that the boot showed, and says whether the card comes up."""
    named = all(names.get(mac) == name for mac, name in predicted_names(guest).items())
    said = predicted(guest)
    return named and (said is Survival.UNSURE or (said is Survival.KEPT) is bool(network))


@pytest.mark.slow
@pytest.mark.xdist_group("boots")
@needs_boot
def test_forecast_and_boot_agree_on_the_network() -> None:
    guests = [guest for guest in SITUATIONS if guest.name in FAST]
    for guest, seen in zip(guests, boot(guests), strict=True):
        assert agrees(guest, dict(seen.cards), seen.network), (guest.name, predicted_names(guest), predicted(guest), seen)


@pytest.mark.truth
@needs_boot
def test_every_situation() -> None:
    assert main([]) == 0


@needs_boot
def test_the_recorded_page_has_every_situation_and_no_disagreement() -> None:
    rows = [line.split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| ") and "situation" not in line]
    assert [row[0].removeprefix("| ") for row in rows] == [guest.name for guest in SITUATIONS]
    said = {guest.name: predicted(guest).name.lower() for guest in SITUATIONS}
    assert {row[0].removeprefix("| "): row[4] for row in rows} == said
    booted = [row for row in rows if not row[5].startswith(NOT_YET)]
    assert len(booted) >= 12
    assert all(row[4] == "unsure" or (row[4] == "kept") is not row[5].startswith("nothing") for row in booted)


def page(rows: Iterable[tuple[NetGuest, dict[str, str], str]]) -> str:
    """docs/network-truth.md; without names of cards a guest was not booted."""
    lines = [
        f"| {guest.name} | {guest.managers[0]} | {guest.machine} | {', '.join(names.values())} | {predicted(guest).name.lower()} | "
        f"{(network or 'nothing') if names else NOT_YET} |"
        for guest, names, network in rows
    ]
    return HEAD + f"Booted until {datetime.date.today().isoformat()}.\n\n" + "\n".join([COLUMNS, *lines]) + "\n"


def _booted(guests: list[NetGuest]) -> list[tuple[NetGuest, NetBoot]]:
    """Each guest with its boot; guests with one machine share it."""
    machines: dict[object, list[NetGuest]] = {}
    for guest in guests:
        machines.setdefault((guest.machine, guest.cards, guest.args), []).append(guest)
    seen = {one.name: result for group in machines.values() for one, result in zip(group, boot(group), strict=True)}
    return [(guest, seen[guest.name]) for guest in guests]


def main(words: list[str] | None = None) -> int:
    """Boot what has no result yet; 1 when a forecast is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="WORD", help="situations whose name has this word")
    only = parser.parse_args(words).only
    rows, wrong = [], 0
    for guest, seen in _booted([guest for guest in SITUATIONS if only in guest.name]):
        rows.append((guest, dict(seen.cards), seen.network))
        right = agrees(guest, dict(seen.cards), seen.network)
        wrong += not right
        mark = "✓" if right else "✗"
        sys.stdout.write(f"{mark} {guest.name}: {dict(seen.cards)} {seen.network or 'nothing'}, forecast {predicted(guest).name}\n")
    if not only:
        PAGE.write_text(page(rows))
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
