"""``v2vlint schema``: the JSON schemas of v2vlint's input and output files, for editors and programs."""

from __future__ import annotations

import argparse
from importlib import resources

from v2vlint.cli import exits, output

FILES = {
    "config": "config-1.json",
    "target": "target-1.json",
    "sample-guest": "sample-guest-1.json",
    "report": "report-1.json",
    "machine": "machine-1.json",
    "diagnosis": "diagnosis-1.json",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    words = "config: v2vlint.toml; target: a profile; sample-guest: guest.toml; report, machine, diagnosis: the JSON of a command"
    parser.add_argument("name", choices=tuple(FILES), help=words)


def run(args: argparse.Namespace) -> int:
    """Print one."""
    output.write((resources.files("v2vlint") / "schema" / FILES[args.name]).read_text("utf-8"), "json")
    return exits.OK
