"""Every sample guest, built into real images and checked by the real command, gives exactly the findings its recipe expects."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from guestbuild.recipe import Expect, Recipe
from guestbuild.samples import cached, recipes

FAMILIES = {"debian", "ubuntu", "rhel", "suse", "arch", "alpine", "gentoo", "windows"}
CASES = [
    pytest.param(recipe, target, id=f"{name}-{target}", marks=pytest.mark.xdist_group(name))
    for name, recipe in recipes().items()
    for target in recipe.targets
]


@functools.cache
def check(images: tuple[Path, ...], target: str) -> dict[str, Any]:
    """The JSON report of one guest for one target."""
    words = [sys.executable, "-m", "v2vlint", "check", "--no-config", "--format", "json", "--target", target]
    done = subprocess.run([*words, "+".join(map(str, images))], capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def findings(report: dict[str, Any], several: bool) -> Iterator[Expect]:
    """What the report says, in the form recipes use."""
    image = report["images"][0]
    for root in ({"device": "", "targets": image["machine"]}, *image["roots"]):
        for result in root["targets"][0]["results"]:
            for finding in result["findings"]:
                device = root["device"] if several else ""
                yield Expect(result["rule"], _place(finding["where"]), finding["severity"], root["targets"][0]["target"], device)


def _place(where: dict[str, Any]) -> str:
    if where["kind"] == "text":
        return f"{where['path']}:{where['line']}"
    if where["kind"] == "registry":
        return f"{where['path']}:{where['key']}:{where['value'] or ''}".removesuffix(":")
    return str(where["path"] if where["kind"] == "file" else where["device"])


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "target"), CASES)
def test_exactly_the_expected_findings(recipe: Recipe, target: str) -> None:
    report = check(cached(recipe.id), target)
    found = set(findings(report, len(recipe.trees) > 1))
    expected = {one for one in recipe.expect if one.target == target}
    informing = {one for one in found if one.severity == "info"}
    assert found - informing - expected == set(), "findings that the recipe does not expect"
    assert expected - found == set(), "findings that did not come"


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "target"), CASES)
def test_the_forecast(recipe: Recipe, target: str) -> None:
    forecast = check(cached(recipe.id), target)["images"][0]["roots"][0]["targets"][0]["forecast"]
    stopped = next((stage["stage"] for stage in forecast["stages"] if stage["fate"] == "fail"), "nowhere")
    assert ("boots" if forecast["will_boot"] else stopped) == recipe.forecast[target]


@pytest.mark.slow
@pytest.mark.parametrize(("recipe", "target"), CASES)
def test_nothing_is_left_untold(recipe: Recipe, target: str) -> None:
    report = check(cached(recipe.id), target)
    first, *others = report["images"][0]["roots"]
    results = list(first["targets"][0]["results"])
    for root in others:  # what starts a second root is the first one's loader, which only the guest's user knows how to use
        results += [result for result in root["targets"][0]["results"] if result["rule"] != "forecast"]
    assert [result for result in results if result["crashed"]] == []
    assert {result["rule"]: result["unknowns"] for result in results if result["unknowns"]} == {}
    assert report["images"][0]["problems"] == []


def test_the_guests_are_of_many_families() -> None:
    assert len(recipes()) >= 14
    bases = " ".join(tree.base for recipe in recipes().values() for tree in recipe.trees.values()).replace("sles", "suse")
    assert {family for family in FAMILIES if family not in bases} == set()


@pytest.mark.parametrize("recipe", recipes().values(), ids=recipes().keys())
def test_a_recipe_tells_its_story(recipe: Recipe) -> None:
    assert recipe.title
    assert recipe.story.endswith(".")
    assert {one.target for one in recipe.expect} <= set(recipe.targets)
    assert len(set(recipe.expect)) == len(recipe.expect)
