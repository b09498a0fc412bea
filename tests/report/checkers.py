"""What the readers of our reports insist on, as checks of our own: they run where the official schemas are not at hand."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

_TIME = re.compile(r"\d{1,3}(\.\d{1,3})?")
_ALLOWED = {
    "testsuites": {"name", "time", "tests", "failures", "errors"},
    "testsuite": {
        "name",
        "tests",
        "failures",
        "errors",
        "skipped",
        "time",
        "timestamp",
        "hostname",
        "id",
        "package",
        "group",
        "file",
        "log",
        "url",
    },
    "testcase": {"name", "time", "classname", "group"},
    "properties": set(),
    "property": {"name", "value"},
    "failure": {"type", "message"},
    "error": {"type", "message"},
    "skipped": {"type", "message"},
    "system-out": set(),
    "system-err": set(),
}
_REQUIRED = {"testsuite": {"name", "tests", "failures", "errors"}, "testcase": {"name"}, "property": {"name", "value"}}
_INSIDE = {
    "testsuites": {"testsuite"},
    "testsuite": {"properties", "testcase", "system-out", "system-err"},
    "testcase": {"failure", "error", "skipped", "system-out", "system-err"},
    "properties": {"property"},
}


def junit_errors(document: str) -> list[str]:
    """Where ``document`` breaks the rules of Jenkins' junit-10.xsd, or counts wrongly."""
    root = ET.fromstring(document)
    errors = [] if root.tag == "testsuites" else [f"the root is {root.tag}"]
    for element in root.iter():
        name = element.tag
        errors += [f"{name} has {extra}" for extra in element.attrib.keys() - _ALLOWED.get(name, set())]
        errors += [f"{name} lacks {missing}" for missing in _REQUIRED.get(name, set()) - element.attrib.keys()]
        errors += [f"{child.tag} in {name}" for child in element if child.tag not in _INSIDE.get(name, set())]
        if "time" in element.attrib and not _TIME.fullmatch(element.attrib["time"]):
            errors.append(f"time {element.attrib['time']}")
    for suite in root:
        errors += [
            f"{suite.get('name')}: {key} is wrong" for key, tag in _COUNTS.items() if int(suite.get(key, "-1")) != len(suite.findall(tag))
        ]
        errors += [
            f"{case.get('name')} has several outcomes" for case in suite.iter("testcase") if len({e.tag for e in case} & _OUTCOMES) > 1
        ]
    return errors


_COUNTS = {"tests": "testcase", "failures": "testcase/failure", "errors": "testcase/error", "skipped": "testcase/skipped"}
_OUTCOMES = {"failure", "error", "skipped"}


def sarif_errors(log: dict[str, Any]) -> list[str]:
    """Where ``log`` breaks what GitHub's code scanning demands over the schema."""
    errors = []
    ids = [run["automationDetails"]["id"] for run in log["runs"]]
    errors += [] if len(ids) == len(set(ids)) else ["two runs in one category"]
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        for rule in rules:
            texts = [rule["shortDescription"]["text"], rule["fullDescription"]["text"], rule["help"]["text"], rule["name"], rule["id"]]
            errors += [f"{rule['id']}: empty text"] if not all(texts) else []
            errors += [f"{rule['id']}: too long"] if len(rule["name"]) > 255 or any(len(text) > 1024 for text in texts[:2]) else []
        for result in run["results"]:
            errors += _result_errors(result, rules)
    return errors


def _result_errors(result: dict[str, Any], rules: list[dict[str, Any]]) -> list[str]:
    name, errors = result["ruleId"], []
    if "ruleIndex" in result and rules[result["ruleIndex"]]["id"] != name:
        errors.append(f"{name}: wrong ruleIndex")
    if result["kind"] == "fail" and not result["partialFingerprints"]["primaryLocationLineHash"]:
        errors.append(f"{name}: no fingerprint")
    if (result["kind"] != "fail") != (result["level"] == "none"):
        errors.append(f"{name}: level {result['level']} of kind {result['kind']}")
    for location in [*result["locations"], *result.get("relatedLocations", [])]:
        physical = location["physicalLocation"]
        region, uri = physical["region"], physical["artifactLocation"]["uri"]
        if min(region.values()) < 1 or (region["startLine"], region["startColumn"]) > (region["endLine"], region["endColumn"]):
            errors.append(f"{name}: region {region}")
        if not re.fullmatch(r"[\w.~%/+-]+", uri, re.ASCII) or uri.startswith("/") or ".." in uri.split("/"):
            errors.append(f"{name}: uri {uri}")
    return errors
