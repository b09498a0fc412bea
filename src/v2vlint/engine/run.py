"""Run one rule over one root's facts, with every kind of outcome kept apart."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.registry import FactStore
from v2vlint.guest.budget import spending
from v2vlint.model.codec import conform
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactFailed, FactUnavailable, NotApplicable, described
from v2vlint.model.finding import Finding, Unknown
from v2vlint.model.place import WholeFile
from v2vlint.model.report import Status
from v2vlint.model.rule import Rule

MAX_FINDINGS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """The outcome of running a rule."""

    status: Status
    findings: tuple[Finding, ...] = ()
    unknowns: tuple[Unknown, ...] = ()
    reason: str = ""
    crashed: bool = False


def run_rule(rule: Rule, store: FactStore) -> Outcome:
    """Supply the facts that ``rule`` needs and judge, within a budget. A crash of the rule or a parser is an unknown with ``crashed`` set.

    The same goes for a result of an invalid type: a faulty rule costs its own outcome, not the guest's report.
    """
    findings: list[Finding] = []
    unknowns: list[Unknown] = []
    crashed = False
    try:
        arguments = store.arguments(rule.check)
        with spending():
            for result in _results(rule, arguments):
                (unknowns if isinstance(result, Unknown) else findings).append(result)  # type: ignore[arg-type]
    except NotApplicable as reason:
        return Outcome(Status.NOT_APPLICABLE, reason=reason.reason)
    except FactUnavailable as reason:
        unknowns.append(rule.unknown(reason.where, reason.reason))
        crashed = isinstance(reason, FactFailed)
    except (Exception, SystemExit) as error:
        return failed(rule, error, findings, unknowns)
    status = Status.FAIL if findings else Status.UNKNOWN if unknowns else Status.PASS
    return Outcome(status, tuple(findings), tuple(unknowns), unknowns[-1].reason if crashed else _first(unknowns), crashed)


def failed(rule: Rule, error: BaseException, findings: list[Finding], unknowns: list[Unknown]) -> Outcome:
    """The outcome of a rule that crashed, with its results up to then."""
    reason = f"rule {rule.id} failed: {described(error)}"
    unknowns.append(Unknown(rule.id, WholeFile(""), reason))
    return Outcome(Status.UNKNOWN, tuple(findings), tuple(unknowns), reason, crashed=True)


def _results(rule: Rule, arguments: dict[str, object]) -> Iterator[Finding | Unknown]:
    for count, result in enumerate(rule.check(**arguments), 1):
        if not isinstance(result, Finding | Unknown):
            raise TypeError(f"yields a {type(result).__name__}, which is neither a Finding nor an Unknown")
        yield _conforming(result)
        if count >= MAX_FINDINGS:
            yield rule.unknown(result.where, f"stopped after {MAX_FINDINGS} results")
            return


def _conforming(result: Finding | Unknown) -> Finding | Unknown:
    try:
        return conform(result)
    except (TypeError, ValueError) as error:
        raise TypeError(f"yields a {type(result).__name__} that does not fit: {error}") from error


def _first(unknowns: list[Unknown]) -> str:
    return unknowns[0].reason if unknowns else ""
