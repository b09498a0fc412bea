"""``v2vlint rules``: list the rules, or write their documentation pages."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

from v2vlint.cli import exits, options, output
from v2vlint.engine.packs import LoadedRule
from v2vlint.model.errors import UsageError
from v2vlint.model.rule import Audience, RuleInfo
from v2vlint.report.layout import Row, Styled
from v2vlint.run.texts import split


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--select", action="append", metavar="RULE", help="only these rules: ids, groups or globs; repeatable")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="the format on stdout")
    options.add_colour(parser)
    parser.add_argument("--write", metavar="FOLDER", help="write a documentation page for every rule, and an index")
    parser.add_argument("--new", metavar="ID", help="write a template for a new rule with examples, and exit")
    parser.add_argument("--folder", metavar="FOLDER", default="rules", help="the folder for --new (rules)")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """List or write."""
    from v2vlint.engine.packs import load_all
    from v2vlint.engine.protocol import Selection
    from v2vlint.engine.select import choose

    if args.new:
        return _new(args.new, Path(args.folder))
    rules = choose(load_all(options.rule_folders(args)), Selection(split(args.select) or ("all",)))
    if args.write:
        return _write(rules, Path(args.write))
    infos = sorted((rule.info() for rule in rules), key=lambda info: (info.group, info.id))
    if args.format == "json":
        output.write(_json(infos), "json")
    else:
        output.show(list(_table(infos)), output.colours(args.color))
    return exits.OK


def _new(rule: str, folder: Path) -> int:
    from v2vlint.run import skeleton

    path = skeleton.write(rule, folder)
    output.write(f"{path}\n")
    output.say(f"try it: v2vlint test {folder}", f"use it: rules = [{str(folder)!r}] in a configuration given with --config")
    return exits.OK


def _write(rules: Sequence[LoadedRule], folder: Path) -> int:
    from v2vlint.engine.pages import NOTE, pages

    made = pages(rules)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Pages that somebody has written are neither replaced nor removed.
        ours = {path.name for path in folder.glob("*.md") if path.read_bytes().startswith(NOTE.encode())}
        if foreign := sorted(name for name in made.keys() - ours if (folder / name).exists()):
            raise UsageError(
                f"{folder / foreign[0]} is there, and was not made by 'v2vlint rules --write'", hint="give a folder of its own"
            )
        for name, text in made.items():
            (folder / name).write_text(text, "utf-8")
        for stale in ours - made.keys():
            (folder / stale).unlink()
    except OSError as error:
        raise UsageError(f"{folder}: {(error.strerror or 'cannot be written').lower()}") from error
    return exits.OK


def _json(infos: Sequence[RuleInfo]) -> str:
    import json

    from v2vlint.report.formats.json_report import rule_data

    return json.dumps([rule_data(info) for info in infos], indent=2) + "\n"


def _table(infos: Sequence[RuleInfo]) -> Iterator[Row]:
    width = max((len(info.id) for info in infos), default=0)
    for group, members in groupby(infos, key=lambda info: info.group):
        yield (Styled(group or "other", "title"),)
        for info in members:
            marks = ("fix" if info.fixable else "   ") + (" pedantic" if info.audience is Audience.PEDANTIC else "")
            severity = Styled(f"{info.severity.label:<8}", info.severity.label)
            yield (Styled("  "), severity, Styled(f"{info.id:<{width}}  "), Styled(f"{marks} ", "dim"), Styled(info.title))
    yield (Styled(f"{len(infos)} rules; see 'v2vlint explain ID'", "dim"),)
