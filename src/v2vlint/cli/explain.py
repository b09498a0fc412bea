"""``v2vlint explain``: a rule, or an error message."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence

from v2vlint.cli import exits, options, output
from v2vlint.console.signatures import Topic
from v2vlint.engine.boot import FORECAST
from v2vlint.engine.decisions import EXPIRED
from v2vlint.engine.examples import run_example
from v2vlint.engine.explain import known, predicting
from v2vlint.engine.packs import LoadedRule, load_all
from v2vlint.engine.select import unknown_rule
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Finding
from v2vlint.model.place import Span
from v2vlint.model.rule import Example, RuleInfo
from v2vlint.report.escape import visible
from v2vlint.report.layout import Row, Styled, paragraph

MAX_MESSAGE = 1 << 20


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.usage = "v2vlint explain RULE | --error TEXT"
    parser.add_argument("rule", metavar="RULE", nargs="?", help="the id of a rule")
    parser.add_argument("--error", metavar="TEXT", help="a message of virt-v2v or of a guest that does not boot; - reads it from stdin")
    options.add_colour(parser)
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """Explain; 4 when the message is not known."""
    if (args.rule is None) == (args.error is None):
        raise UsageError("give the id of a rule, or --error TEXT", hint="'v2vlint rules' lists the rules")
    rules = load_all(options.rule_folders(args))
    if args.rule is None:
        return _explain_error(args.error, rules, output.colours(args.color))
    loaded = next((rule for rule in rules if rule.id == args.rule), None)
    own = next((info for info in (FORECAST, EXPIRED) if info.id == args.rule), None)
    if loaded is None and own is None:
        raise _unknown(args.rule, rules)
    rows = [*_info(loaded.info()), *_example(loaded)] if loaded else list(_info(own)) if own else []
    output.show(rows, output.colours(args.color))
    return exits.OK


def _unknown(name: str, rules: Sequence[LoadedRule]) -> UsageError:
    """The error for an unknown rule; for part of a known message it suggests ``--error``."""
    error = unknown_rule(name, rules)
    if predicting(name, rules) or known(name):
        return UsageError(error.message, hint=f'to explain a message: v2vlint explain --error "{name}"')
    return error


def _info(info: RuleInfo) -> Iterator[Row]:
    fix = ", has a fix" if info.fixable else ""
    yield (Styled(info.id, "title"), Styled("  "), Styled(info.severity.label, info.severity.label), Styled(f"  {info.group}{fix}", "dim"))
    for line in info.help.split("\n"):
        if line.startswith("## "):
            yield (Styled(line[3:], "title"),)
        else:
            yield (Styled(line),)


def _example(loaded: LoadedRule) -> Iterator[Row]:
    """What the rule reports for its first flagged example: the line, the message, the effect."""
    for example in type(loaded.rule).examples:
        for finding in run_example(loaded.rule, example).findings[:1]:
            yield ()
            yield (Styled("For instance"), Styled(f" ({example.target})", "dim"))
            yield (Styled(f"  {visible(str(finding.where))}", "place"),)
            yield from ((Styled(f"    {visible(line)}", "dim"),) for line in _line(example, finding))
            yield from paragraph(finding.message, output.look().width, 2)
            yield from paragraph(finding.effect, output.look().width, 2, lead=Styled("→ ", "dim"))
            return


def _line(example: Example, finding: Finding) -> Iterator[str]:
    content = example.files.get(finding.where.path) if isinstance(finding.where, Span) else None
    if isinstance(content, str) and isinstance(finding.where, Span):
        yield content.split("\n")[finding.where.line - 1]


def _explain_error(text: str, rules: Iterable[LoadedRule], colour: bool) -> int:
    if text == "-":
        import sys

        text = sys.stdin.read(MAX_MESSAGE)
    foreseen, others = predicting(text, rules), known(text)
    width = output.look().width
    rows = [row for loaded in foreseen for row in _foreseen(loaded, width)]
    rows += [row for topic in others for row in _topic(topic, bool(foreseen), width)]
    if not rows:
        output.show([(Styled("this message is not known: no rule foresees it, and it is not in the list of known messages"),)], False)
        return exits.NOTHING
    output.show(rows, colour)
    return exits.OK


def _foreseen(loaded: LoadedRule, width: int) -> Iterator[Row]:
    info = loaded.info()
    yield (Styled("rule ", "dim"), Styled(info.id, "title"), Styled(" foresees this: ", "dim"), Styled(info.title))
    yield from paragraph(f"v2vlint check --select {info.id} IMAGE", width, 2, "place")
    yield ()


def _topic(topic: Topic, foreseen: bool, width: int) -> Iterator[Row]:
    if not foreseen:
        yield (Styled("no single rule foresees this message", "dim"),)
    yield from paragraph(topic.meaning, width, 2)
    yield from paragraph(topic.advice, width, 2, lead=Styled("do: ", "ok"))
    yield from paragraph(topic.here, width, 2, "dim")
    yield ()
