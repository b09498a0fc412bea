"""The documentation site: it builds without a dead link, and a rule's page lies where SARIF's helpUri says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from v2vlint.engine.boot import FORECAST
from v2vlint.engine.config import parse
from v2vlint.engine.packs import load_all
from v2vlint.model.errors import UsageError
from v2vlint.report.formats.sarif import descriptor

ROOT = Path(__file__).resolve().parents[1]
RULES = tuple(rule.info() for rule in load_all())


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built strictly: a warning fails it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder), "--config-file", "mkdocs.yml"]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_every_rule_has_its_page_where_sarif_leads(site: Path) -> None:
    assert "helpUri" not in descriptor(FORECAST, "https://docs.example.com/v2vlint"), "the forecast has no page"
    for rule in RULES:
        path = descriptor(rule, "https://docs.example.com/v2vlint")["helpUri"].removeprefix("https://docs.example.com/v2vlint/")
        assert (site / path / "index.html").is_file(), rule.id


@pytest.mark.slow
def test_pages_above_the_folder_are_there(site: Path) -> None:
    for page in ("tutorial", "rules", "SECURITY", "CONTRIBUTING", "CHANGELOG", "own-rules"):
        assert (site / page / "index.html").is_file(), page


@pytest.mark.slow
def test_the_api_is_described_by_its_docstrings(site: Path) -> None:
    page = (site / "api/index.html").read_text("utf-8")
    for name in ("check", "FixReport", "ServiceView", "Rule", "GuestFS", "SelinuxLabels", "NetworkVerdict", "sample_boot"):
        assert name in page, name
    assert "Predict what will break and whether the guest will boot" in page
    assert "api/#guestfs" in (site / "search/search_index.json").read_text("utf-8")


def test_without_an_address_sarif_has_no_uri_of_help() -> None:
    assert not any("helpUri" in descriptor(rule, "") for rule in RULES)


def test_the_address_is_a_url() -> None:
    assert parse({"docs-url": "https://x.example/v2vlint/"}, "x").docs_url == "https://x.example/v2vlint"
    with pytest.raises(UsageError, match="must be a URL"):
        parse({"docs-url": "docs"}, "x")
