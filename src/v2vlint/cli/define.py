"""``v2vlint define``: the machine that a guest needs on a KVM target, as a libvirt domain or in another form."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.cli import exits, options, output

if TYPE_CHECKING:
    from v2vlint.model.target import Target
    from v2vlint.run.settings import Settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    from v2vlint.defining import formats

    options.add_images(parser)
    group = parser.add_argument_group("the machine")
    group.add_argument(
        "-t", "--target", metavar="NAME", help="a KVM target: profile, .toml profile, libvirt XML or Proxmox .conf (kvm, or kvm-aarch64)"
    )
    group.add_argument("--format", choices=formats.names(), default="libvirt", help="the output format (libvirt, a domain)")
    group.add_argument("-o", "--output", metavar="FILE", help="write to FILE instead of stdout")
    group.add_argument("--key-file", action="append", metavar="[DEVICE=]PATH", help="key of an encrypted disk; repeatable")
    options.add_configuration(parser)


def run(args: argparse.Namespace) -> int:
    """Print the machine; notes on anything surprising go to stderr."""
    from v2vlint.defining import DefineAsk, define

    settings = options.settings(args)
    request = options.request(args, settings, "define")
    ask = DefineAsk(request.only_guest(), _target(args, settings), request.keys, None if args.target else _target_for_arm(settings))
    machine = define(ask, settings.limits)
    text = machine.render(args.format)
    if args.output:
        output.write_file(Path(args.output), text)
    else:
        output.write(text, "xml" if args.format == "libvirt" else "json")
    for note in machine.notes:
        output.say(f"note: {note}")
    return exits.OK


def _target(args: argparse.Namespace, settings: Settings) -> Target:
    """The given target; else the first KVM target in the configuration, else the profile ``kvm``."""
    from v2vlint import target

    if args.target:
        return settings.targets[0]
    return next((one for one in settings.targets if one.hypervisor == "kvm"), None) or target.load("kvm")


def _target_for_arm(settings: Settings) -> Target:
    """The first KVM target for ARM in the configuration, else the profile ``kvm-aarch64``."""
    from v2vlint import target

    return next((one for one in settings.targets if one.hypervisor == "kvm" and one.arch == "aarch64"), None) or target.load("kvm-aarch64")
