"""``v2vlint targets``: list the profiles, or show one."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from pathlib import Path

from v2vlint import target
from v2vlint.cli import options, output
from v2vlint.facts.environment.guest_tools import families
from v2vlint.model.target import Target
from v2vlint.report.layout import Row, Styled, paragraph
from v2vlint.run.settings import found, load_target
from v2vlint.target.keys import said


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("target", metavar="NAME", nargs="?", help="show this one: a name, a .toml profile or a libvirt .xml")
    parser.add_argument("--format", choices=("text", "json"), default="text", help="the format on stdout")
    options.add_colour(parser)


def run(args: argparse.Namespace) -> int:
    """List the targets, or show one."""
    config = found(Path.cwd())
    names = [args.target] if args.target else [*target.names(), *sorted(config.targets)]
    chosen = [load_target(name, config) for name in names]
    if args.format == "json":
        output.write(_json(chosen), "json")
    else:
        output.show(list(_card(chosen[0]) if args.target else _table(chosen)), output.colours(args.color))
    return 0


def _json(targets: Iterable[Target]) -> str:
    import dataclasses
    import json

    return json.dumps([dataclasses.asdict(one) for one in targets], indent=2) + "\n"


def _table(targets: list[Target]) -> Iterator[Row]:
    width = max(len(one.name) for one in targets)
    for one in targets:
        about = f"{one.title}; disks {'/'.join(sorted(one.disk_prefixes))}"
        yield (Styled(f"{one.name:<{width}}  ", "rule"), Styled(about))


def _card(one: Target) -> Iterator[Row]:
    yield (Styled(one.name, "title"), Styled(f"  {one.title}"))
    for label, value in said(one):
        yield from paragraph(value, output.look().width, 2, "", Styled(f"{label:<12}", "dim"))
    if strange := sorted({*one.agents, *filter(None, [one.guest_agent])} - families()):
        yield from paragraph(f"no rule knows the agents {', '.join(strange)}", output.look().width, 2, "warning", Styled(f"{'':<12}"))
