"""The JSON report: its published schema holds for real and invented reports, and nothing hostile survives in it."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.report import reports
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.fix import Applicability, Edit, Fix, RegistryDeleteKey, RegistrySet, WriteData
from v2vlint.model.place import WholeFile
from v2vlint.model.registry import dword
from v2vlint.model.report import Report
from v2vlint.report.formats.json_report import as_data, render

REPORTS = (reports.rich(), reports.clean(), reports.empty(), reports.hostile())
SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "schema" / "report-1.json").read_text("utf-8"))


def _closed(schema: Any) -> Any:
    """The schema without tolerance for fields it does not name."""
    if isinstance(schema, list):
        return [_closed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: _closed(item) for key, item in schema.items()}
    return {**closed, "additionalProperties": False} if closed.get("type") == "object" else closed


def check(text: str) -> Any:
    """Validate JSON text strictly, and give its data."""
    data = json.loads(text)
    jsonschema.validate(data, _closed(copy.deepcopy(SCHEMA)), jsonschema.Draft202012Validator)
    return data


def test_the_schema_itself_is_valid() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("report", REPORTS, ids=lambda report: str(len(report.images)))
def test_every_report_fits_the_schema(report: Report) -> None:
    data = check(render(report))
    assert data["schema_version"] == 1
    assert len(data["images"]) == len(report.images)


def test_the_schema_refuses_what_is_wrong() -> None:
    data = as_data(reports.rich())
    data["images"][0]["roots"][0]["targets"][0]["results"][0]["status"] = "fine"
    with pytest.raises(jsonschema.ValidationError):
        check(json.dumps(data))


def test_hostile_text_is_harmless_as_text_and_exact_as_data() -> None:
    text = render(reports.hostile())
    assert all(char.isprintable() or char == "\n" for char in text)
    finding = check(text)["images"][0]["roots"][0]["targets"][0]["results"][0]["findings"][0]
    assert finding["message"] == reports.HOSTILE.replace("\udcff", "\\xff")


def test_what_the_rich_report_says() -> None:
    data = check(render(reports.rich()))
    assert data["exit_code"] == 1
    assert data["targets"] == ["kvm", "azure"]
    broken = data["images"][3]
    assert broken["problems"][0]["hint"].startswith("convert it first")
    assert (broken["roots"], broken["devices"], broken["recipe"]) == ([], [], None)
    forecasts = [target["forecast"] for image in data["images"] for root in image["roots"] for target in root["targets"]]
    assert {forecast["will_boot"] for forecast in forecasts if forecast} == {True, False, None}


@pytest.mark.parametrize(
    ("edit", "told"),
    [
        (
            WriteData("/x.sys", b"x"),
            {"kind": "write-data", "path": "/x.sys", "size": 1, "sha256": WriteData("", b"x").digest, "expect": None},
        ),
        (
            RegistrySet("/SYSTEM", "a\\b", "Start", dword(0), None),
            {"kind": "registry-set", "path": "/SYSTEM", "key": "a\\b", "name": "Start", "value": "dword:00000000", "expect": None},
        ),
        (
            RegistryDeleteKey("/SYSTEM", "a", (("", dword(1)),)),
            {"kind": "registry-delete-key", "path": "/SYSTEM", "key": "a", "expect": [{"name": "", "value": "dword:00000001"}]},
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_edits_of_windows_guests(edit: Edit, told: dict[str, Any]) -> None:
    finding = Finding("fstab-by-path", Severity.WARNING, WholeFile("/x"), "m", "e", Fix("repair it", Applicability.SAFE, (edit,)))
    data = check(render(reports.only(reports.failing(finding, "0" * 16))))
    assert data["images"][0]["roots"][0]["targets"][0]["results"][0]["findings"][0]["fix"]["edits"] == [told]
