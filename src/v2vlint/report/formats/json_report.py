"""The report for programs: JSON with a published schema (``schema/report-1.json``), independent of v2vlint's internal types."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from v2vlint.model.blocks import BlockDevice
from v2vlint.model.fix import (
    AppendInitramfs,
    CopyFile,
    Delete,
    Edit,
    Fix,
    Rebuild,
    RegistryDeleteKey,
    RegistryEdit,
    RegistrySet,
    ReplaceText,
    WriteData,
    WriteFile,
)
from v2vlint.model.place import RegistryKey, Span, Where, WholeFile
from v2vlint.model.plain import JsonObject
from v2vlint.model.report import EarlierProof, FindingReport, Forecast, ImageReport, Problem, Report, RootReport, RuleResult, TargetReport
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import HostFileInfo
from v2vlint.report.escape import json_text
from v2vlint.report.walk import exit_code, hits, tally

SCHEMA_VERSION = 1
SCHEMA_REVISION = 6
"""Counts what was added within the version; the schema says what."""

_OUTCOMES = {
    (True, True): "reachable",
    (True, None): "perhaps_unreachable",
    (True, False): "unreachable",
    (None, None): "perhaps_no_boot",
    (False, None): "no_boot",
}


def render(report: Report) -> str:
    """The report as JSON."""
    return json_text(as_data(report))


def as_data(report: Report) -> JsonObject:
    """The report as plain data."""
    numbers = tally(report.images, hits(report))
    return {
        "schema_version": SCHEMA_VERSION,
        "schema_revision": SCHEMA_REVISION,
        "tool": {"name": "v2vlint", "version": report.version},
        "targets": list(report.targets),
        "mover": report.mover.value,
        "fail_on": report.fail_on.label,
        "strict": report.strict,
        "exit_code": exit_code(report),
        "seconds": round(report.seconds, 3),
        "summary": {
            "images": len(report.images),
            "errors": numbers.errors,
            "warnings": numbers.warnings,
            "infos": numbers.infos,
            "not_checked": numbers.unknown + numbers.problems,
            "passed": numbers.passed,
            "not_applicable": numbers.not_applicable,
            "excepted": numbers.excepted,
            "baselined": numbers.baselined,
            "forecasts": _forecasts(report),
        },
        "rules": [rule_data(info) for info in report.rules],
        "images": [image_data(image) for image in report.images],
        "not_judged": [{"path": one.path, "reason": one.reason} for one in report.not_judged],
    }


def _forecasts(report: Report) -> dict[str, int]:
    """The number of roots per outcome, for each target."""
    found = [one.forecast for image in report.images for _device, one in image.judged() if one.forecast]
    counts = Counter(_OUTCOMES[one.will_boot, one.reachable if one.will_boot else None] for one in found)
    return {outcome: counts[outcome] for outcome in _OUTCOMES.values()}


def rule_data(info: RuleInfo) -> JsonObject:
    """A rule, as here and in ``v2vlint rules --format json``."""
    return {
        "id": info.id,
        "group": info.group,
        "title": info.title,
        "severity": info.severity.label,
        "audience": info.audience.value,
        "fixable": info.fixable,
        "since": info.since,
        "pack": info.pack,
    }


def image_data(image: ImageReport) -> JsonObject:
    """One guest as plain data."""
    return {
        "name": image.name,
        "paths": list(image.paths),
        "format": image.format,
        "size": image.size,
        "seconds": round(image.seconds, 3),
        "recipe": image.recipe or None,
        "definition": image.origin.kind or None,
        "machine_name": image.origin.name or None,
        "machine_uuid": image.origin.uuid or None,
        "files": [_file(file) for file in image.files],
        "proofs": [_proof(proof) for proof in image.proofs],
        "problems": [problem_data(one) for one in image.problems],
        "devices": [_device(device) for device in image.blocks],
        "machine": [_target(target) for target in image.machine],
        "roots": [_root(root) for root in image.roots],
    }


def problem_data(one: Problem) -> JsonObject:
    """What could not be read, and the command that helps."""
    return {"where": one.where, "reason": one.reason, "hint": one.hint or None}


def _proof(proof: EarlierProof) -> JsonObject:
    at = datetime.fromtimestamp(proof.at, UTC).isoformat(timespec="seconds")
    outcome = {"came_up": proof.came_up, "reason": proof.reason, "way": proof.way, "agrees": proof.agrees}
    return {"target": proof.target, "at": at, **outcome}


def _file(file: HostFileInfo) -> JsonObject:
    return {"path": file.path, "size": file.size, "sha256_before": file.before or None, "sha256_after": file.after or None}


def _device(device: BlockDevice) -> JsonObject:
    optional = {
        "partition_number": device.number or None,
        "content": device.fs_type or None,
        "uuid": device.uuid or None,
        "label": device.label or None,
        "partition_uuid": device.part_uuid or None,
        "partition_label": device.part_label or None,
        "partition_type": device.part_type or None,
        "problem": device.problem or None,
    }
    return {"name": device.name, "kind": device.kind, "size": device.size, "disk": device.disk, "parents": list(device.parents), **optional}


def _root(root: RootReport) -> JsonObject:
    system = root.os
    return {
        "device": root.device,
        "os": {
            "kind": system.kind,
            "distro": system.distro,
            "family": system.family,
            "name": system.name,
            "version": system.version or None,
            "arch": system.arch or None,
            "hostname": system.hostname or None,
        },
        "glance": [{"label": label, "value": value} for label, value in root.glance],
        "targets": [_target(target) for target in root.targets],
    }


def _target(target: TargetReport) -> JsonObject:
    return {
        "target": target.target,
        "mover": target.mover.value,
        "command": target.command or None,
        "forecast": forecast_data(target.forecast) if target.forecast else None,
        "results": [_result(result) for result in target.results],
    }


def forecast_data(forecast: Forecast) -> JsonObject:
    """A forecast, here and in a diagnosis."""
    stages = [
        {
            "stage": stage.stage.value,
            "fate": stage.fate.value,
            "reason": stage.reason,
            "where": _where(stage.where) if stage.where else None,
            "rule": stage.rule or None,
        }
        for stage in forecast.stages
    ]
    return {
        "fate": forecast.fate.value,
        "will_boot": forecast.will_boot,
        "reachable": forecast.reachable,
        "way_back": forecast.way_back or None,
        "stages": stages,
    }


def _result(result: RuleResult) -> JsonObject:
    return {
        "rule": result.rule,
        "status": result.status.value,
        "reason": result.reason or None,
        "crashed": result.crashed,
        "findings": [finding_data(report) for report in result.findings],
        "unknowns": [{"where": _where(unknown.where), "reason": unknown.reason} for unknown in result.unknowns],
    }


def finding_data(report: FindingReport) -> JsonObject:
    """A finding, here and in a diagnosis."""
    finding, excerpt = report.finding, report.excerpt
    return {
        "severity": finding.severity.label,
        "where": _where(finding.where),
        "message": finding.message,
        "effect": finding.effect,
        "stage": finding.stage.value if finding.stage else None,
        "related": [_where(where) for where in finding.related],
        "excerpt": {"path": excerpt.path, "first_line": excerpt.first, "lines": list(excerpt.lines)} if excerpt else None,
        "fix": _fix(finding.fix, report.diff) if finding.fix else None,
        "fingerprint": report.fingerprint,
        "counts": report.counts,
        "exception": report.exception or None,
        "baselined": report.baselined,
        "written": {"path": report.written.path, "line": report.written.line} if report.written else None,
    }


def _where(where: Where) -> JsonObject:
    if isinstance(where, Span):
        return {"kind": "text", "path": where.path, "line": where.line, "column": where.column, "start": where.start, "end": where.end}
    if isinstance(where, WholeFile):
        return {"kind": "file", "path": where.path}
    if isinstance(where, RegistryKey):
        return {"kind": "registry", "path": where.path, "key": where.key, "value": where.value or None}
    return {"kind": "device", "device": where.name, "part": where.part or None}


def _fix(fix: Fix, diff: str) -> JsonObject:
    return {
        "title": fix.title,
        "applicability": fix.applicability.name.lower(),
        "diff": diff or None,
        "edits": [_edit(edit) for edit in fix.edits],
    }


def _edit(edit: Edit) -> JsonObject:
    match edit:
        case ReplaceText():
            return {"kind": "replace", "where": _where(edit.where), "expect": edit.expect, "text": edit.text}
        case CopyFile():
            return {"kind": "copy", "source": edit.source, "path": edit.path}
        case AppendInitramfs():
            return {"kind": "append-initramfs", "path": edit.path, "version": edit.version, "modules": list(edit.modules)}
        case Rebuild():
            return {"kind": "rebuild", "artefact": edit.artefact}
        case RegistrySet() | RegistryDeleteKey():
            return _registry_edit(edit)
    return _whole_file(edit)


def _whole_file(edit: WriteFile | WriteData | Delete) -> JsonObject:
    match edit:
        case WriteFile():
            return {"kind": "write", "path": edit.path, "text": edit.text, "mode": f"{edit.mode:04o}"}
        case WriteData():
            size, digest = len(edit.data), edit.digest
            return {"kind": "write-data", "path": edit.path, "size": size, "sha256": digest, "expect": edit.expect or None}
        case Delete():
            return {"kind": "delete", "path": edit.path}


def _registry_edit(edit: RegistryEdit) -> JsonObject:
    match edit:
        case RegistrySet():
            value, expect = str(edit.value), None if edit.expect is None else str(edit.expect)
            return {"kind": "registry-set", "path": edit.hive, "key": edit.key, "name": edit.name, "value": value, "expect": expect}
        case RegistryDeleteKey():
            values = [{"name": name, "value": str(value)} for name, value in edit.expect]
            return {"kind": "registry-delete-key", "path": edit.hive, "key": edit.key, "expect": values}
