"""SARIF 2.1.0, one run per image: what GitHub code scanning and other viewers read.

Columns count characters. If the image has a recipe, a finding is located there, so that it appears on a file of the repository, and its
place in the guest is the first related location. Without a recipe the location is ``IMAGE/guest/path``.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import quote

from v2vlint.model.finding import Severity
from v2vlint.model.fix import Fix, ReplaceText
from v2vlint.model.place import Span, Where
from v2vlint.model.plain import JsonObject
from v2vlint.model.report import Excerpt, Forecast, ImageReport, Problem, RecipeLine, Report
from v2vlint.model.rule import RuleInfo
from v2vlint.model.source import HostFileInfo
from v2vlint.report import advice, words
from v2vlint.report.escape import visible
from v2vlint.report.walk import Gap, Hit, exit_code, gaps, hits, logical_name, outside, tally, unread

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_PROBLEMS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "recommendation"}
# GitHub's levels: from 7.0 on high, from 4.0 on medium, below that low.
_SECURITY = {Severity.ERROR: "8.0", Severity.WARNING: "5.5", Severity.INFO: "3.0"}
_NOWHERE = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
# GitHub cuts descriptions at 1024 characters.
_LONGEST = 1000
MAX_RUNS, MAX_RESULTS, MAX_PACKED = 20, 25_000, 9_500_000
"""What GitHub takes: runs in a file, results in a run, and bytes of a packed file (10 MB, less some room)."""


def render(report: Report) -> str:
    """The report as one SARIF log."""
    return _log(_runs(report))


def documents(report: Report) -> Iterator[str]:
    """The report as SARIF logs that GitHub takes: at most MAX_RUNS runs and MAX_PACKED bytes in each, when they are packed."""
    waiting: list[JsonObject] = []
    packed = 0
    for run in _runs(report):
        size = len(zlib.compress(json.dumps(run).encode()))
        if waiting and (len(waiting) >= MAX_RUNS or packed + size > MAX_PACKED):
            yield _log(waiting)
            waiting, packed = [], 0
        waiting.append(run)
        packed += size
    yield _log(waiting)


def _log(runs: Iterable[JsonObject]) -> str:
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": list(runs)}, indent=2) + "\n"


def _runs(report: Report) -> Iterator[JsonObject]:
    """A run for each image; one with more than MAX_RESULTS results is several."""
    found = hits(report)
    compared = any(hit.shown.baselined for hit in found)
    by_image: dict[int, list[Hit]] = {}
    for hit in found:
        by_image.setdefault(id(hit.image), []).append(hit)
    for image in report.images:
        run = _run(report, image, by_image.get(id(image), []), compared)
        results, name = run["results"], run["automationDetails"]["id"]
        yield {**run, "results": results[:MAX_RESULTS]}
        for number, start in enumerate(range(MAX_RESULTS, len(results), MAX_RESULTS), 2):
            yield {**run, "results": results[start : start + MAX_RESULTS], "automationDetails": {"id": f"{name}{number}/"}}


def _run(report: Report, image: ImageReport, found: list[Hit], compared: bool) -> JsonObject:
    unsure = [gap for gap in gaps(image) if not gap.crashed]
    used = {hit.rule for hit in found} | {gap.rule for gap in unsure}
    rules = [rule for rule in report.rules if rule.id in used]
    index = {rule.id: number for number, rule in enumerate(rules)}
    results = [_result(hit, index, compared) for hit in found]
    return {
        "tool": {
            "driver": {
                "name": "v2vlint",
                "semanticVersion": report.version,
                "rules": [descriptor(rule, report.docs_url) for rule in rules],
            }
        },
        "automationDetails": {"id": f"v2vlint/{_uri(logical_name(image))}/"},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {"%SRCROOT%": {"description": {"text": "the root of the repository"}}},
        "invocations": [_invocation(report, image)],
        "results": results + [_open(gap, index) for gap in unsure],
        "properties": _summary(report, image, found),
    }


def _has_page(rule: RuleInfo) -> bool:
    """Whether the site has a page about the rule: not for rules of other packs, nor for the engine's own, which need no facts."""
    return rule.pack == "v2vlint" and bool(rule.facts)


def descriptor(rule: RuleInfo, docs_url: str) -> JsonObject:
    """The ``reportingDescriptor`` of a rule; ``docs_url`` is the address of the site, or empty."""
    title, _, body = rule.help.partition("\n")
    body = body.strip() or title
    tags = [rule.group] if rule.group else []
    properties: JsonObject = {
        "tags": tags,
        "precision": "high",
        "problem.severity": _PROBLEMS[rule.severity],
        "pack": rule.pack,
        "since": rule.since,
    }
    if rule.group == "security":
        properties["security-severity"] = _SECURITY[rule.severity]
    return {
        "id": rule.id,
        "name": "".join(part.title() for part in rule.id.split("-")),
        "shortDescription": {"text": rule.title[:_LONGEST] or rule.id},
        "fullDescription": {"text": _first_section(body)[:_LONGEST] or rule.title or rule.id},
        "help": {"text": body or rule.id, "markdown": body or rule.id},
        **({"helpUri": f"{docs_url}/rules/{quote(rule.id)}/"} if docs_url and _has_page(rule) else {}),
        "defaultConfiguration": {"level": _LEVELS[rule.severity]},
        "properties": properties,
    }


def _first_section(body: str) -> str:
    sections = re.split(r"^## .*$", body, flags=re.MULTILINE)
    return " ".join(next((section for section in sections if section.strip()), "").split())


def _invocation(report: Report, image: ImageReport) -> JsonObject:
    crashed = [gap for gap in gaps(image) if gap.crashed]
    notes = [_problem(image, problem) for problem in image.problems] + [_crash(gap) for gap in crashed]
    repair = visible(advice.repair(report, image))
    parts = {
        "files": [_file(file) for file in image.files],
        "proofs": [visible(words.proven(proof)) for proof in image.proofs],
        "repair": repair,
    }
    properties = {name: part for name, part in parts.items() if part}
    return {
        "executionSuccessful": not unread(image, strict=report.strict),
        "exitCode": exit_code(report),
        "toolExecutionNotifications": notes,
        **({"properties": properties} if properties else {}),
    }


def _file(file: HostFileInfo) -> JsonObject:
    digests = {"sha256Before": file.before, "sha256After": file.after} if file.before else {}
    return {"path": visible(file.path), "size": file.size, **digests}


def _problem(image: ImageReport, problem: Problem) -> JsonObject:
    hint = f" ({problem.hint})" if problem.hint else ""
    location = {"physicalLocation": {"artifactLocation": {"uri": _uri(image.recipe or logical_name(image)), "uriBaseId": "%SRCROOT%"}}}
    return {"level": "error", "message": _message(f"{problem.where}: {problem.reason}{hint}"), "locations": [location]}


def _crash(gap: Gap) -> JsonObject:
    return {"level": "error", "message": _message(gap.reason), "associatedRule": {"id": gap.rule}}


def _result(hit: Hit, index: dict[str, int], compared: bool) -> JsonObject:
    report, finding = hit.shown, hit.shown.finding
    result: JsonObject = {
        **_about(hit.rule, index),
        "kind": "fail",
        "level": _LEVELS[hit.severity],
        "message": _message(*_sentences(hit)),
        **_places(hit.image, hit.device, finding.where, report.excerpt, finding.related, report.written),
        # By this fingerprint GitHub knows an alert again.
        "partialFingerprints": {"primaryLocationLineHash": hit.key},
        "properties": {"targets": [name for name, _ in hit.targets], "stage": finding.stage.value if finding.stage else "none"},
    }
    if report.exception:
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": visible(report.exception)}]
    if compared:
        result["baselineState"] = "unchanged" if report.baselined else "new"
    fix = _fix(hit.image, finding.fix) if finding.fix else None
    return {**result, "fixes": [fix]} if fix else result


def _open(gap: Gap, index: dict[str, int]) -> JsonObject:
    return {
        **_about(gap.rule, index),
        "kind": "open",
        "level": "none",
        "message": _message(f"could not tell: {gap.reason}", f"Targets: {', '.join(gap.targets)}"),
        **_places(gap.image, gap.device, gap.where, None, ()),
        "properties": {"targets": list(gap.targets)},
    }


def _about(rule: str, index: dict[str, int]) -> JsonObject:
    return {"ruleId": rule, "ruleIndex": index[rule]} if rule in index else {"ruleId": visible(rule)}


def _sentences(hit: Hit) -> list[str]:
    finding = hit.shown.finding
    sentences = [finding.message, f"Effect: {finding.effect}" if finding.effect else "", f"Targets: {words.affected(hit)}"]
    sentences.append(f"Place: {finding.where} in {hit.image.name}")
    if finding.fix:
        sentences.append(f"Fix ({words.safety(finding.fix)}): {finding.fix.title}")
    return [sentence for sentence in sentences if sentence]


def _message(*sentences: str) -> JsonObject:
    """A plain text message: braces are doubled (they mark placeholders), and no guest text can form a link (``[text](target)``)."""
    lines = (visible(sentence).replace("{", "{{").replace("}", "}}").replace("](", "]\\(") for sentence in sentences)
    return {"text": "\n".join(line if line.endswith(".") else f"{line}." for line in lines)}


def _places(
    image: ImageReport, device: str, where: Where, excerpt: Excerpt | None, related: tuple[Where, ...], written: RecipeLine | None = None
) -> JsonObject:
    guest = _guest_location(image, where, excerpt)
    others = [_guest_location(image, place, None) for place in related]
    logical = {
        "fullyQualifiedName": visible(f"{image.name}:{device and f'{device}:'}{where}"),
        "name": visible(str(where)) or "guest",
        "kind": "resource",
    }
    if image.recipe or written:
        others.insert(0, guest)
        region = {"startLine": written.line} if written else dict(_NOWHERE)
        guest = {"physicalLocation": {"artifactLocation": _artifact(written.path if written else image.recipe), "region": region}}
    numbered = [{"id": number, **other} for number, other in enumerate(others, 1)]
    places: JsonObject = {"locations": [{**guest, "logicalLocations": [logical]}]}
    return {**places, "relatedLocations": numbered} if numbered else places


def _guest_location(image: ImageReport, where: Where, excerpt: Excerpt | None) -> JsonObject:
    path = where.path if isinstance(where, Span) else str(where)
    physical: JsonObject = {
        "artifactLocation": _artifact(outside(where) or f"{logical_name(image)}/{path}"),
        "region": _region(where, excerpt),
    }
    if excerpt and excerpt.lines:
        physical["contextRegion"] = {
            "startLine": excerpt.first,
            "endLine": excerpt.first + len(excerpt.lines) - 1,
            "snippet": {"text": "".join(f"{visible(line, keep=chr(9))}\n" for line in excerpt.lines)},
        }
    return {"physicalLocation": physical, "message": _message(f"{where} in {image.name}")}


def _region(where: Where, excerpt: Excerpt | None) -> JsonObject:
    if not isinstance(where, Span):
        return dict(_NOWHERE)
    end = where.column + where.end - where.start
    if excerpt and 0 <= where.line - excerpt.first < len(excerpt.lines):
        # A span of several lines is marked as far as its first line goes.
        end = min(end, len(excerpt.lines[where.line - excerpt.first]) + 1)
    return {"startLine": where.line, "startColumn": where.column, "endLine": where.line, "endColumn": max(end, where.column)}


def _artifact(path: str) -> JsonObject:
    return {"uri": _uri(path), "uriBaseId": "%SRCROOT%"}


def _uri(path: str) -> str:
    """A relative URI reference: undecodable bytes, colons and so on are percent-encoded; ``..`` and the leading slash are removed."""
    # Surrogates other than those that stand for undecodable bytes cannot be encoded.
    path = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", path)
    steps = [step for step in path.split("/") if step not in {"", ".", ".."}]
    return quote("/".join(steps).encode("utf-8", "surrogateescape")) or "."


def _fix(image: ImageReport, fix: Fix) -> JsonObject | None:
    """A fix that consists only of replacements of text, which must be Unicode; SARIF cannot express others."""
    changes: dict[str, list[JsonObject]] = {}
    for edit in fix.edits:
        if not isinstance(edit, ReplaceText):
            return None
        if visible(edit.text, keep="\r\n\t") != edit.text:
            return None
        region = {"charOffset": edit.where.start, "charLength": edit.where.end - edit.where.start}
        replacement = {"deletedRegion": region, "insertedContent": {"text": edit.text}}
        changes.setdefault(edit.where.path, []).append(replacement)
    artifacts = [{"artifactLocation": _artifact(f"{logical_name(image)}/{path}"), "replacements": edits} for path, edits in changes.items()]
    return {"description": _message(fix.title), "artifactChanges": artifacts} if artifacts else None


def _summary(report: Report, image: ImageReport, found: list[Hit]) -> JsonObject:
    counts = tally((image,), found)
    return {
        "image": visible(image.name),
        "mover": report.mover.value,
        "targets": list(report.targets),
        "summary": words.counted(counts),
        "passed": counts.passed,
        "notApplicable": counts.not_applicable,
        "systems": [visible(words.system(root.os)) for root in image.roots],
        "forecasts": [
            _forecast(root.device, target.target, target.forecast) for root in image.roots for target in root.targets if target.forecast
        ],
    }


def _forecast(device: str, target: str, forecast: Forecast) -> JsonObject:
    stages = [{"stage": one.stage.value, "fate": one.fate.value, "reason": visible(one.reason)} for one in forecast.stages]
    fates = {"fate": forecast.fate.value, "willBoot": forecast.will_boot, "reachable": forecast.reachable}
    return {"root": visible(device), "target": target, **fates, "stages": stages, "wayBack": visible(forecast.way_back)}
