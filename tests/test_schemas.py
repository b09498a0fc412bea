"""Editors and the loaders agree: shipped files are valid, keys are the same, and a mistake is one for both."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from guestbuild.recipe import load
from guestbuild.tools import BuildError
from tests import schemas
from v2vlint import target
from v2vlint.engine import config
from v2vlint.model.errors import UsageError
from v2vlint.target.keys import KEYS

ROOT = Path(__file__).resolve().parents[1]
PROFILES = sorted((ROOT / "src/v2vlint/target/profiles").glob("*.toml"))
GUESTS = sorted([*(ROOT / "sample-guests").glob("*/guest.toml"), *(ROOT / "tests/cases/guests").glob("*/guest.toml")])
MADE = schemas.documents()


def mistakes(name: str, data: Any) -> list[str]:
    """What the schema ``name`` has to say about ``data``; dates are text for it, as for taplo."""
    plain = json.loads(json.dumps(data, default=str))
    return [error.message for error in jsonschema.Draft202012Validator(MADE[name]).iter_errors(plain)]


@pytest.mark.parametrize("name", MADE)
def test_the_files_are_the_ones_that_are_made(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(MADE[name])
    assert json.loads((schemas.FOLDER / name).read_text("utf-8")) == MADE[name], "python -m tests.schemas writes them"


def test_the_keys_are_those_of_the_loaders() -> None:
    assert set(MADE["config-1.json"]["properties"]) == set(config.KEYS)
    assert set(MADE["target-1.json"]["properties"]) == {*KEYS, "extends"}


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_every_profile_is_valid(path: Path) -> None:
    assert mistakes("target-1.json", tomllib.loads(path.read_text("utf-8"))) == []


def test_every_sample_guest_is_valid() -> None:
    wrong = {
        path.parent.name: found for path in GUESTS if (found := mistakes("sample-guest-1.json", tomllib.loads(path.read_text("utf-8"))))
    }
    assert len(GUESTS) > 50
    assert wrong == {}


@pytest.mark.parametrize("page", ["configuration", "targets", "recipes", "reports", "own-rules"])
def test_the_examples_of_the_pages_are_valid(page: str) -> None:
    name = "target-1.json" if page == "targets" else "config-1.json"
    for example in re.findall(r"^```toml\n(.*?)^```$", (ROOT / f"docs/{page}.md").read_text("utf-8"), re.DOTALL | re.MULTILINE):
        assert mistakes(name, tomllib.loads(example)) == [], example


@pytest.mark.parametrize(
    "text",
    [
        'taget = "kvm"',
        "jobs = 0",
        'jobs = "many"',
        'mover = "ship"',
        'fail-on = "fatal"',
        "strict = 1",
        'docs-url = "docs"',
        "select = [1]",
        '[[exceptions]]\nid = "x"',
        '[[exceptions]]\nid = "x"\nreason = "y"\nimag = "z"',
        '[[images]]\nmatch = "x"',
        '[[recipes]]\nimage = "x"',
        '[severity]\nx = "bad"',
        "cpu-limit = -1",
        'report = [["a"]]',
        "targets = 1",
        "severity = 1",
    ],
)
def test_a_mistake_in_a_configuration_is_one_for_both(text: str) -> None:
    data = tomllib.loads(text)
    assert mistakes("config-1.json", data)
    with pytest.raises(UsageError):
        config.parse(data, "v2vlint.toml")


@pytest.mark.parametrize(
    "text",
    [
        "cpu_level = 5",
        "cpu_levle = 2",
        'firmware = ["coreboot"]',
        "firmware = []",
        "sector_size = 520",
        'secure_boot = "on"',
        "limits = 1",
        'title = ""',
        'mac_prefixes = ["52"]',
        'keeps_mac = "yes"',
        "max_mtu = -1",
        '[[controllers]]\nname = "x"',
        '[images]\nformats = ["vdx"]',
        '[[nics]]\nname = "x"\nany_of = [[]]',
        'ptp_clocks = ["ptp0"]',
        '[hardware]\ncpu = "host"',
        "controllers = []",
    ],
)
def test_a_mistake_in_a_target_is_one_for_both(text: str) -> None:
    data = {"extends": "kvm", **tomllib.loads(text)}
    assert mistakes("target-1.json", data)
    with pytest.raises(UsageError):
        target.parse("mine", data, "mine.toml")


@pytest.mark.parametrize("text", ['titel = "x"', "disks = [{}]", "links = 1", '[[expect]]\nrule = "x"', '[packages]\nmanager = "deb"'])
def test_a_mistake_in_a_sample_guest_is_one_for_both(tmp_path: Path, text: str) -> None:
    (tmp_path / "guest.toml").write_text(text)
    assert mistakes("sample-guest-1.json", tomllib.loads(text))
    with pytest.raises(BuildError):
        load(tmp_path)
