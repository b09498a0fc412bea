"""Running one rule over one root's facts, with every outcome kept apart."""

from __future__ import annotations

from dataclasses import dataclass

from v2vlint.facts.registry import FactStore
from v2vlint.model.errors import FactUnavailable, NotApplicable
from v2vlint.model.finding import Finding, Unknown
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Status
from v2vlint.model.rule import Rule

MAX_FINDINGS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """What running a rule gave."""

    status: Status
    findings: tuple[Finding, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    reason: str = ""
    crashed: bool = False


def run_rule(rule: Rule, store: FactStore) -> Outcome:
    """Supply the facts ``rule`` asks for and judge. A crash of the rule or of a parser is an unknown with ``crashed`` set."""
    findings: list[Finding] = []
    unknowns: list[Unknown] = []
    try:
        for result in rule.check(**store.arguments(rule.check)):
            if isinstance(result, Unknown):
                unknowns.append(result)
            else:
                findings.append(result)
            if len(findings) + len(unknowns) >= MAX_FINDINGS:
                unknowns.append(rule.unknown(result.where, f"stopped after {MAX_FINDINGS} results"))
                break
    except NotApplicable as reason:
        return Outcome(Status.NOT_APPLICABLE, reason=reason.reason)
    except FactUnavailable as reason:
        unknowns.append(rule.unknown(reason.where, reason.reason))
    except MemoryError:
        raise
    except Exception as error:
        place = WholeFile("")
        unknowns.append(rule.unknown(place, f"rule {rule.id} failed: {type(error).__name__}: {error}"))
        return Outcome(Status.UNKNOWN, tuple(findings), tuple(unknowns), unknowns[-1].reason, crashed=True)
    status = Status.FAIL if findings else Status.UNKNOWN if unknowns else Status.PASS
    return Outcome(status, tuple(findings), tuple(unknowns), unknowns[0].reason if unknowns else "")
