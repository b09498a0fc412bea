"""``v2vlint define``: the libvirt domain that a guest needs on a KVM target."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.cli import exits, options, output
from v2vlint.model.errors import UsageError
from v2vlint.run import keys
from v2vlint.run.settings import live_target

if TYPE_CHECKING:
    from v2vlint.model.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    options.add_images(parser)
    group = parser.add_argument_group("the machine")
    group.add_argument("-t", "--target", default="kvm", metavar="NAME", help="a KVM target: profile, .toml profile or libvirt XML (kvm)")
    group.add_argument("-o", "--output", metavar="FILE", help="write the domain there instead of to stdout")
    group.add_argument("--key-file", action="append", metavar="[DEVICE=]PATH", help="key of an encrypted disk; repeatable")


def run(args: argparse.Namespace) -> int:
    """Print the domain; why it is not as one would expect goes to stderr."""
    from v2vlint.defining import DefineAsk, define, domain_xml
    from v2vlint.source.expand import expand

    guests = expand(args.images, args.connect, verify=args.verify_manifest)
    if len(guests) != 1:
        raise UsageError("define takes one guest", hint="the disks of one guest are joined with '+'")
    machine = define(DefineAsk(guests[0], _target(args), keys.collect(args.key_file or ())))
    text = domain_xml(machine)
    if args.output:
        output.write_file(Path(args.output), text)
    else:
        output.write(text, "xml")
    for note in machine.notes:
        output.say(f"note: {note}")
    return exits.OK


def _target(args: argparse.Namespace) -> Target:
    from v2vlint import target

    return live_target(args.target, args.connect) if args.target.startswith("domain:") else target.load(args.target)
