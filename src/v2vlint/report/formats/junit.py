"""JUnit XML: one suite per image, one test case per rule and target; the forecast and readability are separate cases.

Built with junit-xml, then trimmed to what Jenkins' junit-10.xsd allows. A case is red (failure or error) exactly when it makes the run
end with something other than 0, so that the test view and the exit code always agree.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from typing import Any

from v2vlint.model.report import Fate, FindingReport, Forecast, ImageReport, Report, RuleResult, Status, TargetReport
from v2vlint.report import advice, words
from v2vlint.report.escape import visible
from v2vlint.report.walk import blocks, logical_name, rules_by_id

_SUITE = ("name", "tests", "failures", "errors", "skipped", "time", "id")
_SUITES = ("name", "tests", "failures", "errors", "time")
_FATES = {Fate.PASS: "ok", Fate.FAIL: "FAIL", Fate.UNKNOWN: "unknown", Fate.SKIPPED: "-"}


def render(report: Report) -> str:
    """The report as an XML document."""
    suites = ET.Element("testsuites")
    for number, image in enumerate(report.images):
        suites.append(_suite(report, image, number))
    totals = {key: str(sum(int(suite.get(key, "0")) for suite in suites)) for key in ("tests", "failures", "errors")}
    _keep(suites, {"name": "v2vlint", "time": str(report.seconds), **totals}, _SUITES)
    ET.indent(suites)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(suites, encoding="unicode")}\n'


def _suite(report: Report, image: ImageReport, number: int) -> ET.Element:
    from junit_xml import TestSuite

    cases = [_readable(image), *_cases(report, image)]
    facts = {visible(key): visible(value) for key, value in _properties(report, image)}
    suite: ET.Element = TestSuite(visible(image.name), cases, id=str(number), properties=facts).build_xml_doc()
    _keep(suite, {**suite.attrib, "id": str(number), "time": str(image.seconds)}, _SUITE)
    return suite


def _keep(element: ET.Element, attributes: dict[str, str], allowed: tuple[str, ...]) -> None:
    """Keep only what the schema allows; it has times with three decimals."""
    kept = {name: attributes[name] for name in allowed if name in attributes}
    element.attrib.clear()
    element.attrib.update({**kept, "time": f"{float(kept['time']):.3f}"})


def _properties(report: Report, image: ImageReport) -> Iterator[tuple[str, str]]:
    yield "v2vlint", report.version
    yield "mover", report.mover.value
    yield "format", image.format
    yield "size", words.size(image.size)
    yield from (("file", words.opened(file)) for file in image.files)
    yield from (("proof", words.proven(proof)) for proof in image.proofs)
    if repair := advice.repair(report, image):
        yield "repair", repair
    for root in image.roots:
        prefix = f"{root.device} " if len(image.roots) > 1 else ""
        yield f"{prefix}system", words.system(root.os)
        yield f"{prefix}hostname", root.os.hostname
        yield from ((f"{prefix}{label}", value) for label, value in root.glance)


def _case(image: ImageReport, group: str, name: str) -> Any:
    from junit_xml import TestCase

    # Viewers take the dots of a class name for packages.
    guest = re.sub(r"\W+", "_", visible(logical_name(image))).strip("_")
    return TestCase(visible(name), f"v2vlint.{guest}.{group}")


def _readable(image: ImageReport) -> Any:
    case = _case(image, "reader", "image is readable")
    if image.problems:
        lines = [f"{problem.where}: {problem.reason}" + (f"\n  {problem.hint}" if problem.hint else "") for problem in image.problems]
        case.add_error_info(*_parts(image.problems[0].reason, lines), "unreadable")
    return case


def _cases(report: Report, image: ImageReport) -> Iterator[Any]:
    rules = rules_by_id(report)
    for device, target in image.judged():
        suffix = f"[{target.target}, {device}]" if device and len(image.roots) > 1 else f"[{target.target}]"
        if target.forecast:
            yield _forecast(report, image, target, target.forecast, suffix)
        for result in target.results:
            rule = rules.get(result.rule)
            title = f": {rule.title.rstrip('.')}" if rule else ""
            case = _case(image, rule.group if rule else "rules", f"{result.rule} {suffix}{title}")
            _fill(case, report, device, result)
            yield case


def _forecast(report: Report, image: ImageReport, target: TargetReport, forecast: Forecast, suffix: str) -> Any:
    case = _case(image, "forecast", f"boot {suffix}")
    lines = [f"{_FATES[one.fate]:8}{one.stage.value:11}{one.reason}" for one in forecast.stages]
    lines += [f"way back: {forecast.way_back}"] if forecast.way_back else []
    message, text = _parts(words.verdict(forecast, target.target), lines)
    red = any(blocks(found, report.fail_on) for result in target.results for found in result.findings)
    if forecast.outcome is Fate.FAIL and red:
        case.add_failure_info(message, text, "forecast")
    else:
        case.stdout = f"{message}\n{text}"
    return case


def _fill(case: Any, report: Report, device: str, result: RuleResult) -> None:
    """Set the outcome of one rule on its case: at most one failure, error or skip."""
    red = [found for found in result.findings if blocks(found, report.fail_on)]
    other = [found for found in result.findings if found not in red]
    unknown = [f"{unknown.where}: {unknown.reason}" for unknown in result.unknowns]
    said = [line for found in other for line in _lines(found, device)] + [f"could not tell: {line}" for line in unknown if red]
    if said:
        case.stdout = _text(said)
    if red:
        message, text = _parts(red[0].finding.message, [line for found in red for line in _lines(found, device)])
        case.add_failure_info(message, text, red[0].finding.severity.label)
    elif result.crashed or (unknown and report.strict):
        case.add_error_info(*_parts(result.reason, unknown), "crashed" if result.crashed else "unknown")
    elif unknown:
        case.add_skipped_info(*_parts(f"could not tell: {result.reason}", unknown))
    elif result.status in (Status.NOT_APPLICABLE, Status.EXCEPTED):
        case.add_skipped_info(*_parts(f"{result.status.value.replace('_', ' ')}: {result.reason}", []))


def _lines(found: FindingReport, device: str) -> Iterator[str]:
    finding = found.finding
    yield f"{finding.severity.label}: {finding.where}: {finding.message}"
    if device:
        yield f"  root: {device}"
    if finding.effect:
        yield f"  effect: {finding.effect}"
    yield from (f"  {line}" for line in words.marked(found))
    if finding.fix:
        yield f"  fix ({words.safety(finding.fix)}): {finding.fix.title}"
        yield from (f"    {edit}" for edit in words.unseen_edits(finding.fix))
    yield from (f"    {line}" for line in found.diff.splitlines())
    for state, reason in (("excepted", found.exception), ("in the baseline", "known" if found.baselined else "")):
        if reason:
            yield f"  {state}: {reason}"


def _parts(message: str, lines: list[str]) -> tuple[str, str]:
    return visible(message), _text(lines)


def _text(lines: list[str]) -> str:
    return "".join(f"{visible(line, keep=chr(9))}\n" for line in lines)
