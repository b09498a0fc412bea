"""The lower half of a guest in the HTML page: findings with excerpts and diffs, what was not checked, and the rules' pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from v2vlint.model.fix import Fix
from v2vlint.model.place import Span
from v2vlint.model.report import FindingReport, ImageReport
from v2vlint.model.rule import RuleInfo
from v2vlint.report import words
from v2vlint.report.markup import Safe, join, prose, tag
from v2vlint.report.walk import Hit, gaps

_DIFF = {"+": "add", "-": "del", "@": "hunk"}


def kind_of(hit: Hit) -> str:
    """The filter switch that shows it."""
    return hit.severity.label if hit.shown.counts else "accepted"


def finding(hit: Hit, index: Mapping[str, str], known: frozenset[str]) -> Safe:
    """One finding as a card."""
    said = hit.shown.finding
    state = f"excepted: {hit.shown.exception}" if hit.shown.exception else "in the baseline" if hit.shown.baselined else ""
    head = tag(
        "p",
        tag("span", said.severity.label, class_="badge"),
        " ",
        rule_link(hit.rule, known),
        " ",
        tag("code", str(said.where), class_="place"),
    )
    written = str(hit.shown.written or "")
    facts = [("Effect", said.effect), ("Targets", words.affected(hit)), ("Written by", written), ("Accepted", state)]
    rows = [tag("div", tag("dt", label), tag("dd", text)) for label, text in facts if text]
    if said.related:
        rows.append(tag("div", tag("dt", "See also"), tag("dd", [join(tag("code", str(place)), " ") for place in said.related])))
    return tag(
        "article",
        head,
        tag("h4", said.message),
        tag("dl", rows),
        _excerpt(hit.shown),
        _fix(said.fix, hit.shown.diff) if said.fix else None,
        class_=f"card finding {said.severity.label}{'' if hit.shown.counts else ' accepted'}",
        data_item=kind_of(hit),
        data_targets=_targets((name for name, _ in hit.targets), index),
    )


def _targets(names: Iterable[str], index: Mapping[str, str]) -> str:
    return " ".join(index[name] for name in names if name in index)


def rule_link(rule: str, known: frozenset[str]) -> Safe:
    """A rule's id, linked to its page below if there is one."""
    return tag("a", rule, href=f"#rule-{rule}", class_="rule") if rule in known else tag("span", rule, class_="rule")


def _excerpt(shown: FindingReport) -> Safe | None:
    excerpt, where = shown.excerpt, shown.finding.where
    if not excerpt:
        return None
    lines = []
    for number, line in enumerate(excerpt.lines, excerpt.first):
        here = isinstance(where, Span) and where.line == number
        text = _marked(line, where) if isinstance(where, Span) and here else join(line)
        lines.append(tag("span", text, class_="line here" if here else "line", data_n=str(number)))
    return tag("pre", lines, class_="excerpt", aria_label=f"{excerpt.path} around the finding", tabindex="0")


def _marked(line: str, where: Span) -> Safe:
    start = where.column - 1
    end = start + where.end - where.start
    return join(line[:start], tag("mark", line[start:end]) if line[start:end] else None, line[end:])


def _fix(fix: Fix, diff: str) -> Safe:
    steps = words.unseen_edits(fix)
    title = tag("p", tag("b", "Fix: "), fix.title, " ", tag("span", words.safety(fix), class_=f"chip {fix.applicability.name.lower()}"))
    lines = [
        tag("span", line, class_=f"line {_DIFF.get(line[:1], '') if line[:3] not in ('+++', '---') else 'file'}".rstrip())
        for line in diff.splitlines()
    ]
    return tag(
        "div",
        title,
        tag("ul", [tag("li", step) for step in steps]) if steps else None,
        tag("pre", lines, class_="diff", aria_label="what the fix changes", tabindex="0") if lines else None,
        class_="fix",
    )


def not_checked(image: ImageReport, index: Mapping[str, str], known: frozenset[str]) -> Safe | None:
    """What was undecided or unreadable, with the reason."""
    everywhere = " ".join(index.values())
    rows = [
        tag(
            "li",
            tag("code", problem.where),
            f" {problem.reason}",
            tag("em", f" {problem.hint}") if problem.hint else None,
            data_item="unknown",
            data_targets=everywhere,
        )
        for problem in image.problems
    ]
    for gap in gaps(image):
        text = f" {gap.reason} ({', '.join(gap.targets)})"
        row = (rule_link(gap.rule, known), " ", tag("code", str(gap.where)) if str(gap.where) else None, text)
        rows.append(tag("li", row, data_item="unknown", data_targets=_targets(gap.targets, index)))
    return tag("div", tag("h3", "Not checked"), tag("ul", rows, class_="card unsure"), data_section=True) if rows else None


def rule_page(rule: RuleInfo) -> Safe:
    """A rule's own documentation, collapsed."""
    body = rule.help.partition("\n")[2].strip()
    return tag("details", tag("summary", tag("code", rule.id), " ", rule.title), prose(body), id=f"rule-{rule.id}", class_="rule-page")
