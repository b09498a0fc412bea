"""What ``v2vlint prove`` prints, and the exit codes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from v2vlint.cli.prove import exit_code
from v2vlint.model.finding import Stage
from v2vlint.model.proof import Milestone, Proof, Reached
from v2vlint.model.report import Fate, Forecast, StageForecast
from v2vlint.report import proof as report
from v2vlint.report.formats.text import ASCII
from v2vlint.report.layout import plain

MILESTONES = (
    Milestone("firmware", Stage.FIRMWARE, Reached.SEEN, 0.4, "Booting from Hard Disk..."),
    Milestone("loader", Stage.LOADER, Reached.IMPLIED),
    Milestone("kernel", Stage.KERNEL, Reached.SEEN, 16.3, "Linux version"),
    Milestone("initramfs", Stage.INITRAMFS, Reached.SEEN, 22.5, "Run /init"),
    Milestone("root mounted", Stage.ROOT, Reached.FAILED),
    Milestone("login", Stage.CONSOLE, Reached.NOT_SEEN),
    Milestone("network", Stage.NETWORK, Reached.NOT_SEEN, None, "the network card sent nothing"),
)
STOPS = Proof(
    target="kvm",
    via="firmware",
    firmware="bios",
    acceleration="software emulation",
    cpu="x86-64-v2",
    came_up=False,
    reason="the initramfs waited for /dev/sda1, which never appeared",
    stage=Stage.ROOT,
    milestones=MILESTONES,
    evidence=("ALERT!  /dev/sda1 does not exist.", "\x1b[2J(initramfs)"),
    seconds=64.5,
    notes=("no KVM here",),
)
FAILS = Forecast(Fate.FAIL, (StageForecast(Stage.ROOT, Fate.FAIL, "/dev/sda1 is /dev/vda1 there", rule="root-device-name"),))
BOOTS = Forecast(Fate.PASS, ())
SILENT = replace(STOPS, came_up=True, stage=None)
HEARD = replace(SILENT, milestones=(*MILESTONES[:-1], Milestone("network", Stage.NETWORK, Reached.SEEN, 40.0, "DHCP lease 10.0.2.15")))


def _stops(stage: Stage) -> Forecast:
    return Forecast(Fate.FAIL, (StageForecast(stage, Fate.FAIL, "so"),))


def _network(fate: Fate) -> Forecast:
    return Forecast(Fate.PASS, (StageForecast(Stage.NETWORK, fate, "so"),))


TEXT = r"""-- disk.qcow2 ------------------------------------------------------------------
   kvm, a raw copy: does not boot: stops at root
     x root
     x root      /dev/sda1 is /dev/vda1 there (root-device-name)

   booted on kvm: did not come up: the initramfs waited for /dev/sda1, which
                  never appeared
     + firmware 0s  + loader  + kernel 16s  + initramfs 22s  x root mounted
     . login  . network
     | ALERT!  /dev/sda1 does not exist.
     | \x1b[2J(initramfs)
     network: the network card sent nothing
     BIOS - x86-64-v2 - software emulation - 64.5s - image unchanged
     note: no KVM here

   forecast and boot agree
"""


def text(proof: Proof, forecast: Forecast | None) -> str:
    """The report in ASCII."""
    return plain(list(report.rows("disk.qcow2", proof, forecast, ASCII)))


def test_a_boot_that_stops() -> None:
    assert text(STOPS, FAILS) == TEXT


@pytest.mark.parametrize(
    ("proof", "forecast", "last"),
    [
        (STOPS, BOOTS, "forecast and boot disagree at root: the forecast is wrong, please report it"),
        (replace(STOPS, came_up=True), BOOTS, "forecast and boot agree (the network is not compared: the forecast could not"),
        (replace(STOPS, came_up=True), FAILS, "forecast and boot disagree at root"),
        (STOPS, _stops(Stage.INITRAMFS), "forecast and boot agree"),
        (STOPS, _stops(Stage.MOUNTS), "forecast and boot disagree at root"),
        (replace(STOPS, stage=None), _stops(Stage.MOUNTS), "forecast and boot agree"),
        (SILENT, _network(Fate.PASS), "forecast and boot disagree at network"),
        (SILENT, _network(Fate.FAIL), "forecast and boot agree"),
        (HEARD, _network(Fate.PASS), "forecast and boot agree"),
        (HEARD, _network(Fate.FAIL), "forecast and boot disagree at network"),
        (HEARD, _network(Fate.UNKNOWN), "forecast and boot agree (the network"),
        (replace(STOPS, came_up=None), FAILS, "nothing to compare: the boot could not tell"),
        (STOPS, Forecast(Fate.UNKNOWN, ()), "nothing to compare: the forecast could not tell"),
        (STOPS, None, "there is no forecast to compare with"),
    ],
)
def test_the_comparison(proof: Proof, forecast: Forecast | None, last: str) -> None:
    assert f"   {last}" in text(proof, forecast)


def test_a_boot_that_comes_up_shows_no_evidence_lines() -> None:
    shown = text(replace(STOPS, came_up=True, via="kernel"), None)
    assert "ALERT!" not in shown
    assert "kernel started directly" in shown
    assert "? login" in shown


def test_an_image_that_changed_is_an_alarm() -> None:
    assert "the image files changed during the boot" in text(replace(STOPS, unchanged=False), None)


@pytest.mark.parametrize(
    ("outcomes", "code"), [([True], 0), ([True, None], 3), ([None, False, True], 1), ([False], 1), ([True, True], 0), ([None], 3)]
)
def test_exit_codes(outcomes: list[bool | None], code: int) -> None:
    assert exit_code(outcomes) == code
