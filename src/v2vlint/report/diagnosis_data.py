"""A diagnosis for programs: JSON of a published shape (``schema/diagnosis-1.json``)."""

from __future__ import annotations

from v2vlint.model.diagnosis import Diagnosis, ImageDiagnosis, LogMessage, LogMilestone
from v2vlint.model.plain import JsonObject
from v2vlint.report.escape import json_text
from v2vlint.report.formats.json_report import finding_data, forecast_data, problem_data

SCHEMA_VERSION = 1
SCHEMA_REVISION = 1
"""Counts additions within the version; the schema describes them."""


def render_json(found: Diagnosis, version: str) -> str:
    """The diagnosis as JSON."""
    return json_text(as_data(found, version))


def as_data(found: Diagnosis, version: str) -> JsonObject:
    """The diagnosis as plain data."""
    return {
        "schema_version": SCHEMA_VERSION,
        "schema_revision": SCHEMA_REVISION,
        "tool": {"name": "v2vlint", "version": version},
        "log": found.log,
        "lines": found.lines,
        "skipped": found.skipped,
        "boots": found.boots,
        "boot": found.boot,
        "came_up": found.came_up,
        "reason": found.reason,
        "stage": found.stage.value if found.stage else None,
        "decisive": _message(found.decisive) if found.decisive else None,
        "milestones": [_milestone(one) for one in found.milestones],
        "also": [_message(one) for one in found.also],
        "last": list(found.last),
        "image": _image(found.image) if found.image else None,
    }


def _message(one: LogMessage) -> JsonObject:
    return {
        "line": one.line,
        "text": one.text,
        "name": one.name,
        "stage": one.stage.value,
        "severity": one.severity.label,
        "reason": one.reason,
        "meaning": one.meaning,
        "advice": one.advice,
        "here": one.here,
        "rules": list(one.rules),
    }


def _milestone(one: LogMilestone) -> JsonObject:
    return {"name": one.name, "stage": one.stage.value, "reached": one.reached.value, "line": one.line, "text": one.text}


def _image(image: ImageDiagnosis) -> JsonObject:
    return {
        "image": image.image,
        "target": image.target,
        "forecast": forecast_data(image.forecast) if image.forecast else None,
        "agrees": image.agrees,
        "findings": [{"rule": one.finding.rule, **finding_data(one)} for one in image.findings],
        "mentions": [{"path": one.path, "line": one.line, "text": one.text} for one in image.mentions],
        "problems": [problem_data(one) for one in image.problems],
    }
