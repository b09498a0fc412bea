"""The hand-written pages say what is so: their examples parse, the commands they name exist, the README's output is the real one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests import readme
from v2vlint import target
from v2vlint.cli.main import VERBS
from v2vlint.engine import config
from v2vlint.engine.packs import load_all
from v2vlint.model.finding import Severity

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def _examples(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)


def test_the_configuration_example_is_accepted() -> None:
    (example,) = _examples("docs/configuration.md", "toml")
    found = config.parse(tomllib.loads(example), "docs/configuration.md")
    assert found.severity == {"fstab-device-name": Severity.WARNING}
    assert found.exceptions[0].reason == "the address is the product"
    assert {found.exceptions[0].id, *found.severity} <= {rule.id for rule in load_all()}


def test_the_target_example_is_accepted() -> None:
    (example,) = _examples("docs/targets.md", "toml")
    found = target.parse("our-cluster", tomllib.loads(example), "docs/targets.md")
    assert (found.hypervisor, found.cpu_level, tuple(found.disk_prefixes)) == ("kvm", 3, ("sd",))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_commands_that_a_page_names_exist(page: Path) -> None:
    code = re.findall(r"^```\w*\n.*?^```$|`[^`\n]+`", page.read_text("utf-8"), re.DOTALL | re.MULTILINE)
    verbs = {verb for text in code for verb in re.findall(r"(?:^|[`$ ])v2vlint ([a-z]+)(?=[ `\n])", text, re.MULTILINE)}
    assert verbs <= set(VERBS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_files_that_a_page_links_to_exist(page: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#|mailto:)([^)#]+)", page.read_text("utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_readme_names_the_two_commands() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    commands = [line.split("#")[0].split() for line in _examples("README.md", "sh")[0].splitlines()]
    assert commands == [["make", "sample"], ["make", "test"]]
    assert all(f"\n{goal}: " in makefile for _make, goal in commands)


@pytest.mark.slow
@pytest.mark.xdist_group(readme.GUEST)
def test_the_readme_shows_real_output() -> None:
    shown, real = readme.parts()[1], readme.block(readme.sample_output())
    count = re.compile(r"\d+ (passed|not applicable)")
    assert count.sub(r"N \1", shown) == count.sub(r"N \1", real), "run 'make docs'"
