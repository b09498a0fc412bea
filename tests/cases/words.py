"""What a line of ``cases.tsv`` says must hold, asked of a JSON report."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_FATES = {True: "yes", False: "no", None: "unknown"}


@dataclass
class Told:
    """A report in short: findings as (rule, severity), stages as (stage, fate), boots, and all sentences."""

    code: int
    found: list[tuple[str, str]] = field(default_factory=list)
    fates: list[tuple[str, str]] = field(default_factory=list)
    boots: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)


def told(report: dict[str, Any]) -> Told:
    """The report in short."""
    short = Told(report["exit_code"])
    for image in report["images"]:
        short.texts += [f"{problem['reason']} {problem.get('hint', '')}" for problem in image["problems"]]
        for group in (*image["machine"], *(target for root in image["roots"] for target in root["targets"])):
            if group["forecast"]:
                short.boots.append(_FATES[group["forecast"]["will_boot"]])
                short.fates += [(stage["stage"], stage["fate"]) for stage in group["forecast"]["stages"]]
                short.texts += [f"{stage['stage']}: {stage['reason']}" for stage in group["forecast"]["stages"]]
            for result in group["results"]:
                short.found += [(result["rule"], finding["severity"]) for finding in result["findings"]]
                short.texts += _sentences(result)
    return short


def _sentences(result: dict[str, Any]) -> Iterator[str]:
    for finding in result["findings"]:
        place = json.dumps(finding["where"])
        yield f"{result['rule']} {finding['severity']} {finding['message']} {finding['effect']} {place}"
    yield from (f"{result['rule']} unknown {unknown['reason']}" for unknown in result["unknowns"])


def holds(word: str, short: Told, fix: Callable[[], str]) -> bool:
    """Whether one word of the table is true; ``fix`` gives what ``fix --diff`` would say."""
    wanted = word[0] == "+"
    if match := re.fullmatch(r"rc=(\d+)", word):
        return short.code == int(match[1])
    if match := re.fullmatch(r"boot=(!?)(\w+)", word):
        return (match[2] in short.boots) != bool(match[1])
    if match := re.fullmatch(r"stage:(\w+)=(!?)(\w+)", word):
        return ((match[1], match[3]) in short.fates) != bool(match[2])
    if match := re.fullmatch(r"fix([+-])/(.*)/", word):
        return (re.search(match[2], fix(), re.DOTALL) is not None) == (match[1] == "+")
    if match := re.fullmatch(r"[+-]/(.*)/", word):
        return any(re.search(match[1], text) for text in short.texts) == wanted
    if word in ("-error", "-warning"):
        return all(severity != word[1:] for _rule, severity in short.found)
    names, _, levels = word[1:].partition(":")
    hit = any(rule in names.split("|") and (not levels or level in levels.split("|")) for rule, level in short.found)
    return hit == wanted
