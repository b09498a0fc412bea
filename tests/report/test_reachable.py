"""A guest that comes up where nobody can reach it is not "boots": in no format."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET

import pytest

from tests.report import reports
from v2vlint.model.finding import Fate, Stage
from v2vlint.model.report import Forecast, Report, StageForecast
from v2vlint.report import words
from v2vlint.report.formats import github, html, json_report, junit, markdown, sarif, text


def forecast(boot: Fate, network: Fate) -> Forecast:
    """A boot that comes to ``boot`` at the mounts, with a network that comes to ``network``; the console fails, which decides nothing."""
    fates = ((Stage.LOADER, Fate.PASS), (Stage.MOUNTS, boot), (Stage.NETWORK, network), (Stage.CONSOLE, Fate.FAIL))
    return Forecast(boot, tuple(StageForecast(stage, fate, f"the {stage.value}") for stage, fate in fates))


def report(fate: Forecast) -> Report:
    """The rich report, with ``fate`` on both targets of its first guest, and no other guest."""
    first = reports.rich().images[0]
    root = first.roots[0]
    targets = tuple(dataclasses.replace(one, forecast=fate) for one in root.targets)
    return dataclasses.replace(reports.rich(), images=(dataclasses.replace(first, roots=(dataclasses.replace(root, targets=targets),)),))


@pytest.mark.parametrize(
    ("boot", "network", "will_boot", "reachable", "outcome", "verdict"),
    [
        (Fate.PASS, Fate.PASS, True, True, Fate.PASS, "boots on kvm"),
        (Fate.PASS, Fate.FAIL, True, False, Fate.FAIL, "boots on kvm, cannot be reached"),
        (Fate.PASS, Fate.UNKNOWN, True, None, Fate.UNKNOWN, "boots on kvm, may not be reached"),
        (Fate.PASS, Fate.SKIPPED, True, None, Fate.PASS, "boots on kvm"),
        (Fate.UNKNOWN, Fate.PASS, None, None, Fate.UNKNOWN, "may not boot on kvm"),
        (Fate.UNKNOWN, Fate.FAIL, None, False, Fate.FAIL, "may not boot on kvm, cannot be reached"),
        (Fate.UNKNOWN, Fate.UNKNOWN, None, None, Fate.UNKNOWN, "may not boot on kvm"),
        (Fate.FAIL, Fate.SKIPPED, False, False, Fate.FAIL, "does not boot on kvm: stops at mounts"),
    ],
)
def test_what_a_forecast_comes_to(
    boot: Fate, network: Fate, will_boot: bool | None, reachable: bool | None, outcome: Fate, verdict: str
) -> None:
    one = forecast(boot, network)
    assert (one.will_boot, one.reachable, one.outcome) == (will_boot, reachable, outcome)
    assert words.verdict(one, "kvm") == verdict
    decisive = None if outcome is Fate.PASS else "the mounts" if outcome is boot else "the network"
    assert (one.decisive.reason if one.decisive else None) == decisive


UNREACHABLE = forecast(Fate.PASS, Fate.FAIL)


def test_text_and_tables_say_so() -> None:
    assert "boots, cannot be reached" in text.render(report(UNREACHABLE))
    assert "| ✗ boots, cannot be reached |" in markdown.render(report(UNREACHABLE))
    assert "**boots, cannot be reached**" in markdown.render(report(UNREACHABLE))


def test_the_page_shows_it_as_a_failure() -> None:
    one = report(UNREACHABLE)
    two = dataclasses.replace(one, images=one.images * 2)
    page = html.render(two)
    assert 'class="chip fail">boots, cannot be reached' in page
    assert "2 of 2 guests not ready to move" in page


def test_json_counts_it_apart() -> None:
    data = json.loads(json_report.render(report(UNREACHABLE)))
    shown = data["images"][0]["roots"][0]["targets"][0]["forecast"]
    assert (shown["will_boot"], shown["reachable"]) == (True, False)
    assert {name: count for name, count in data["summary"]["forecasts"].items() if count} == {"unreachable": 2}


def test_sarif_and_github_say_so() -> None:
    run = json.loads(sarif.render(report(UNREACHABLE)))["runs"][0]
    assert [(one["willBoot"], one["reachable"]) for one in run["properties"]["forecasts"]] == [(True, False)] * 2
    assert "boots on kvm, cannot be reached%0Athe network" in github.commands(report(UNREACHABLE))
    assert "v2vlint: forecast" not in github.commands(report(forecast(Fate.PASS, Fate.PASS)))


def test_the_boot_is_red_in_junit_when_the_run_fails() -> None:
    suites = ET.fromstring(junit.render(report(UNREACHABLE)))
    case = next(case for case in suites.iter("testcase") if case.get("name") == "boot [kvm]")
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "boots on kvm, cannot be reached"
