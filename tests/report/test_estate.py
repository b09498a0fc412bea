"""The roll-up: where guests stand, and the page that shows thousands of them."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from pathlib import Path

import pytest

from tests.report import browser
from tests.report.reports import failing, hostile, rich
from v2vlint.model.finding import Fate, Finding, Mover, Severity, Stage
from v2vlint.model.fix import Applicability, Fix
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Forecast, ImageReport, Origin, Problem, RootReport, StageForecast, TargetReport
from v2vlint.model.source import NotJudged
from v2vlint.report import registry
from v2vlint.report.formats import csv_report, estate, jsonl
from v2vlint.report.standing import Standing, place_of

GUESTS = "[...page.querySelectorAll('#guests tbody tr[data-at]')]"


def test_every_guest_has_a_standing_a_wave_and_a_reason() -> None:
    found = {image.name: place_of(image, rich().targets[0]) for image in rich().images}
    assert all(place.reason for place in found.values())
    broken = next(image for image in rich().images if not image.roots)
    assert found[broken.name].standing is Standing.UNJUDGED
    assert found[broken.name].reason.endswith(broken.problems[0].reason)
    again = dataclasses.replace(broken, problems=(Problem(broken.name, f"{broken.name}: a link that leads nowhere"),))
    assert place_of(again, rich().targets[0]).reason == "a link that leads nowhere"


def _judged(*applicability: Applicability | None, fate: Fate = Fate.FAIL) -> ImageReport:
    """A guest with an error for each fix, and a forecast."""
    stage = StageForecast(Stage.ROOT, fate, "no root")
    results = tuple(
        failing(
            Finding(f"rule-{at}", Severity.ERROR, WholeFile("/etc/fstab"), "m", "e", Fix("f", kind, ()) if kind is not None else None), "x"
        )
        for at, kind in enumerate(applicability)
    )
    target = TargetReport("kvm", Mover.RAW, results, Forecast(fate, (stage,)))
    system = OsInfo(kind="linux", distro="debian", family="debian", name="Debian", version="12")
    return ImageReport("g.qcow2", ("g.qcow2",), "qcow2", 1 << 30, (), (RootReport("disk1p1", system, (), (target,)),))


@pytest.mark.parametrize(
    ("image", "standing"),
    [
        (_judged(fate=Fate.PASS), Standing.READY),
        (_judged(Applicability.SAFE), Standing.SAFE),
        (_judged(Applicability.SAFE, Applicability.UNSAFE), Standing.STUCK),
        (_judged(None), Standing.STUCK),
        (_judged(Applicability.MANUAL, fate=Fate.PASS), Standing.HAND),
        (_judged(fate=Fate.UNKNOWN), Standing.HAND),
        (_judged(fate=Fate.FAIL), Standing.STUCK),
        (dataclasses.replace(_judged(fate=Fate.PASS), problems=(Problem("disk2", "is locked"),)), Standing.HAND),
        (dataclasses.replace(_judged(), roots=()), Standing.UNJUDGED),
    ],
)
def test_standing(image: ImageReport, standing: Standing) -> None:
    assert place_of(image, "kvm").standing is standing


def test_csv_joins_inventories_and_starts_no_formula() -> None:
    image = dataclasses.replace(_judged(Applicability.SAFE), origin=Origin("vmx", "=HYPERLINK(1)", "564d1234-0000-4000-8000-000000000001"))
    report = dataclasses.replace(rich(), images=(image,), targets=("kvm",))
    (line,) = csv.DictReader(io.StringIO(csv_report.render(report)))
    assert (line["VM"], line["VM UUID"]) == ("'=HYPERLINK(1)", "564d1234-0000-4000-8000-000000000001")
    assert (line["verdict"], line["wave"], line["safe fixes"], line["rules"]) == ("safe-fixes", "2", "1", "rule-0")


def test_parquet_has_the_columns_of_csv_with_types() -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = parquet.read_table(io.BytesIO(b"".join(one for one in registry.documents("parquet", rich()) if isinstance(one, bytes))))
    lines = list(csv.DictReader(io.StringIO(csv_report.render(rich()))))
    assert table.column_names == list(csv_report.COLUMNS)
    assert {str(table.schema.field(name).type) for name in ("VM", "reason", "rules")} == {"string"}
    assert {table.schema.field(name).type for name in ("wave", "errors", "virtual bytes")} == {pyarrow.int64()}
    assert [[str(row[name]).lstrip("'") for name in ("guest", "target", "wave", "stored bytes", "rules")] for row in table.to_pylist()] == [
        [line[name].lstrip("'") for name in ("guest", "target", "wave", "stored bytes", "rules")] for line in lines
    ]


def test_json_lines_have_a_guest_on_each() -> None:
    assert [json.loads(line)["name"] for line in jsonl.render(rich()).splitlines()] == [image.name for image in rich().images]


@pytest.mark.skipif(not browser.CHROMIUM, reason="no Chromium")
@pytest.mark.parametrize("width", [500, 1200])
def test_the_page_sorts_searches_and_opens_and_nothing_sticks_out(tmp_path: Path, width: int) -> None:
    long = "/vmfs/" + "a-folder-with-a-long-name/" * 8
    images = [dataclasses.replace(_judged(Applicability.SAFE), name=f"{long}g{at}.qcow2") for at in range(3)]
    images.append(dataclasses.replace(_judged(fate=Fate.PASS), name="small.qcow2"))
    report = dataclasses.replace(rich(), images=tuple(images), targets=("kvm",), not_judged=(NotJudged("README", "no image"),))
    script = f"""
      const rows = () => {GUESTS}.filter((row) => row.checkVisibility()).map((row) => row.querySelector("a").textContent.slice(-9));
      const wide = page.documentElement.scrollWidth <= {width};
      const all = rows();
      type(page.querySelector("#search"), "rule:rule-0");
      const by_rule = rows();
      page.querySelector("#reset").click();
      page.querySelector("th[data-key=wave]").click();
      const sorted = rows();
      page.querySelector("[data-verdict=ready]").click();
      const ready = rows();
      page.querySelector("#guests a[href='#g3']").click();
      page.querySelector("#guests a[href='#g0']").click();
      return [wide, all.length, by_rule.length, sorted[0], ready, page.querySelectorAll("tr.findings li").length];
    """
    found = browser.run(estate.render(report), tmp_path, script, width)
    assert found == [True, 4, 3, "all.qcow2", ["all.qcow2"], 2]


@pytest.mark.skipif(not browser.CHROMIUM, reason="no Chromium")
def test_printed_it_is_a_table_with_many_guests_on_a_sheet(tmp_path: Path) -> None:
    images = tuple(dataclasses.replace(_judged(None), name=f"/vmfs/volumes/store/web-{at}/web-{at}.vmx") for at in range(60))
    assert 2 <= browser.sheets(estate.render(dataclasses.replace(rich(), images=images, targets=("kvm",))), tmp_path) <= 8


@pytest.mark.skipif(not browser.CHROMIUM, reason="no Chromium")
def test_a_hostile_guest_stays_text(tmp_path: Path) -> None:
    document = estate.render(hostile())
    assert "</script><img" not in document
    assert "owned" not in browser.run(document, tmp_path, "page.querySelector('#guests a').click(); return page.title;")
