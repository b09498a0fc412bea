"""Options that several verbs share, in groups, and the texts they take."""

from __future__ import annotations

import argparse

from v2vlint.model.finding import Mover, Severity


def add_images(parser: argparse.ArgumentParser) -> None:
    """The guests to look at."""
    help_text = "disk image, A+B (several disks of one guest), folder, OVA, OVF, VMX, libvirt XML, or domain:NAME"
    parser.add_argument("images", metavar="IMAGE", nargs="*", help=help_text)
    group = parser.add_argument_group("machine definitions")
    group.add_argument("--connect", metavar="URI", default="", help="the libvirt that domain:NAME asks (its default connection)")
    verify_help = "verify the checksums of all files of an OVF package, which reads them whole; without it only the descriptor's"
    group.add_argument("--verify-manifest", action="store_true", help=verify_help)


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Where the guest goes, who carries it, which rules run."""
    group = parser.add_argument_group("what to judge")
    group.add_argument(
        "-t",
        "--target",
        action="append",
        metavar="NAME",
        help="target profile, .toml profile, libvirt XML or domain:NAME; repeatable (kvm)",
    )
    group.add_argument("--mover", choices=[mover.value for mover in Mover], help="who carries the guest there (raw)")
    group.add_argument("--profile", metavar="NAME", help="minimal, default, template or strict")
    group.add_argument(
        "--select", action="append", metavar="RULE", help="only these rules: ids, groups or globs, comma-separated; repeatable"
    )
    group.add_argument("--ignore", action="append", metavar="RULE", help="not these rules; repeatable")


def add_verdict(parser: argparse.ArgumentParser) -> None:
    """What makes the run fail."""
    group = parser.add_argument_group("verdict")
    levels = [level.label for level in reversed(Severity)]
    group.add_argument("--fail-on", choices=levels, help="exit with 1 when a finding is at least this severe (error)")
    group.add_argument("--strict", action="store_true", default=None, help="exit with 3 when a rule could not tell")
    group.add_argument("--baseline", metavar="FILE", help="findings recorded there do not count")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """How images are read: keys, limits, parallelism, configuration."""
    group = parser.add_argument_group("reading images")
    group.add_argument("-j", "--jobs", type=positive, metavar="N", help="images read at the same time (1)")
    key_help = "file with a passphrase or key for encrypted disks; repeatable. Also from $V2VLINT_KEY, or asked for on a terminal"
    group.add_argument("--key-file", action="append", metavar="[DEVICE=]PATH", help=key_help)
    group.add_argument("--memory-limit", metavar="SIZE", help="address space of the reader process (2GiB)")
    group.add_argument("--cpu-limit", type=positive, metavar="SECONDS", help="processor time of the reader process (300)")
    group.add_argument("--time-limit", type=positive, metavar="SECONDS", help="time on the clock per image (600)")
    config = parser.add_argument_group("configuration")
    config.add_argument("--config", metavar="FILE", help="instead of the v2vlint.toml or pyproject.toml found upwards")
    config.add_argument("--no-config", action="store_true", help="use no configuration file")


def add_screen(parser: argparse.ArgumentParser) -> None:
    """How things look on the terminal."""
    group = parser.add_argument_group("output")
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colours on stdout")
    group.add_argument("--no-progress", action="store_true", help="no progress line on stderr")


def positive(text: str) -> int:
    """A positive whole number."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"not a positive whole number: {text!r}")
    return int(text)
