"""Options shared by several verbs, in groups, and parsers for their values."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.engine.config import MOST, Config, parse, read
from v2vlint.model.errors import UsageError
from v2vlint.model.finding import Mover, Severity
from v2vlint.run import keys
from v2vlint.run.request import Request
from v2vlint.run.settings import Access, Settings, found, settle
from v2vlint.run.settings import rule_folders as folders_of
from v2vlint.run.texts import split
from v2vlint.source.tree import MAX_DEPTH, Search

if TYPE_CHECKING:
    from v2vlint.model.report import ImageReport

_SETTINGS = ("mover", "profile", "fail_on", "strict", "baseline", "jobs", "memory_limit", "cpu_limit", "time_limit")
_LISTS = ("target", "select", "ignore")


def add_images(parser: argparse.ArgumentParser) -> None:
    """Add the guests to read."""
    help_text = (
        "disk image, A+B (several disks of one guest), folder (searched with all below), machine definition (OVF, VMX, libvirt XML and "
        "others), domain:NAME, a URL (https, sftp, s3…; of a folder, too), live: (this machine), ssh://HOST, "
        "ansible://PATTERN, vsphere://…, "
        "a root filesystem (tree:DIR, tar:FILE, oci:PATH, podman://NAME, kubectl://POD), @FILE (a list of such), or - (a list on stdin)"
    )
    parser.add_argument("images", metavar="IMAGE", nargs="*", help=help_text)
    group = parser.add_argument_group("machine definitions")
    group.add_argument("--connect", metavar="URI", default="", help="the libvirt connection for domain:NAME (libvirt's default)")
    verify_help = "verify the checksums of all files in an OVF package, which reads them completely; by default only the descriptor's"
    group.add_argument("--verify-manifest", action="store_true", help=verify_help)
    choice_help = "the deployment configuration of an OVF package that offers several (its default)"
    group.add_argument("--configuration", metavar="NAME", default="", help=choice_help)
    ca_help = "PEM file with the authority, or the certificate itself, of servers that the system does not trust (https, s3, az, vsphere)"
    group = parser.add_argument_group("files")
    group.add_argument("--ca-file", metavar="FILE", help=ca_help)
    allow_help = "files that a guest refers to (backing files, extents, disks of a definition) may also be in DIR; repeatable"
    group.add_argument("--allow-folder", action="append", metavar="DIR", help=allow_help)
    group.add_argument("--depth", type=levels, metavar="N", help="levels of folders to search below those named; 0 is none (all)")
    group.add_argument("--include", action="append", metavar="GLOB", help="in folders only files with such a name or path; repeatable")
    group.add_argument("--exclude", action="append", metavar="GLOB", help="in folders no files or folders with such a name; repeatable")


def add_hash(parser: argparse.ArgumentParser) -> None:
    """Add the evidence of which files were read."""
    help_text = "report the SHA-256 of every opened file, before and after; reads them completely"
    parser.add_argument("--hash", action="store_true", help=help_text)


def add_judging(parser: argparse.ArgumentParser) -> None:
    """Add the target, the mover, and the selection of rules."""
    group = parser.add_argument_group("what to judge")
    group.add_argument(
        "-t",
        "--target",
        action="append",
        metavar="NAME",
        help="target profile, .toml profile, libvirt XML, Proxmox .conf or domain:NAME; repeatable (kvm)",
    )
    group.add_argument("--mover", choices=[mover.value for mover in Mover], help="how the guest is moved there (raw)")
    group.add_argument("--profile", metavar="NAME", help="minimal, default, template or strict")
    group.add_argument(
        "--select", action="append", metavar="RULE", help="only these rules: ids, groups or globs, comma-separated; repeatable"
    )
    group.add_argument("--ignore", action="append", metavar="RULE", help="not these rules; repeatable")


def add_verdict(parser: argparse.ArgumentParser) -> None:
    """Add the conditions that make the run fail."""
    group = parser.add_argument_group("verdict")
    levels = [level.label for level in reversed(Severity)]
    group.add_argument("--fail-on", choices=levels, help="exit with 1 when a finding is at least this severe (error)")
    group.add_argument("--strict", action="store_true", default=None, help="exit with 3 when a rule is undecided")
    group.add_argument("--baseline", metavar="FILE", help="findings recorded there do not count")


def add_reading(parser: argparse.ArgumentParser) -> None:
    """Add how images are read: keys, limits, parallelism, configuration."""
    group = parser.add_argument_group("reading images")
    group.add_argument("-j", "--jobs", type=jobs, metavar="N", help="images read at the same time, or auto: one for each processor (1)")
    key_help = "file with a passphrase or key for encrypted disks; repeatable. Also from $V2VLINT_KEY, or asked for on a terminal"
    group.add_argument("--key-file", action="append", metavar="[DEVICE=]PATH", help=key_help)
    group.add_argument("--memory-limit", metavar="SIZE", help="address space of the reader process (2GiB)")
    group.add_argument("--cpu-limit", type=positive, metavar="SECONDS", help="processor time of the reader process (300)")
    group.add_argument("--time-limit", type=positive, metavar="SECONDS", help="wall-clock time per image (600)")
    add_configuration(parser)


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add the choice of the configuration file."""
    group = parser.add_argument_group("configuration")
    group.add_argument("--config", metavar="FILE", help="use FILE instead of the nearest v2vlint.toml or pyproject.toml upwards")
    group.add_argument("--no-config", action="store_true", help="use no configuration file")


def add_screen(parser: argparse.ArgumentParser) -> None:
    """Add the look of the terminal, and extra output."""
    group = parser.add_argument_group("output")
    add_colour(group)
    group.add_argument("--no-progress", action="store_true", help="no progress line on stderr")
    add_log(group)


def add_colour(group: argparse._ActionsContainer) -> None:
    """Add the colours of stdout."""
    group.add_argument("--color", choices=("auto", "always", "never"), default="auto", help="colours on stdout")


def add_log(group: argparse._ActionsContainer) -> None:
    """Add the log of the run."""
    words = "on stderr: the configuration and limits in force, the files that were opened, what became of every rule and why"
    group.add_argument("-v", "--verbose", action="store_true", help=words)
    group.add_argument("--log-file", metavar="FILE", help="append the same there, with the time")


def jobs(text: str) -> int:
    """A positive whole number, or ``auto`` for the processors that this process may use."""
    return len(os.sched_getaffinity(0)) if text == "auto" else positive(text)


def levels(text: str) -> int:
    """A whole number, at least 0."""
    return 0 if text == "0" else positive(text)


def positive(text: str) -> int:
    """A positive whole number."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST:
        raise argparse.ArgumentTypeError(f"not a positive whole number: {text!r}")
    return int(text)


def settings(args: argparse.Namespace) -> Settings:
    """The options merged over the configuration. Options that a verb does not have are left alone."""
    said = {name.replace("_", "-"): getattr(args, name, None) for name in _SETTINGS}
    said |= {name: list(_listed(getattr(args, name, None))) for name in _LISTS}
    said["allow-folder"] = args.allow_folder
    return settle(parse({key: value for key, value in said.items() if value}, "options"), _configured(args), _access(args))


def _listed(value: str | list[str] | None) -> tuple[str, ...]:
    return split([value] if isinstance(value, str) else value)


def _configured(args: argparse.Namespace) -> Config:
    """The configuration file named in ``args``, or else the nearest one upwards, or an empty one."""
    if args.no_config:
        return Config()
    return read(Path(args.config)) if args.config else found(Path.cwd())


def rule_folders(args: argparse.Namespace) -> tuple[str, ...]:
    """Folders of custom rules in the configuration."""
    return folders_of(Config(), _configured(args))


def _access(args: argparse.Namespace) -> Access:
    depth = MAX_DEPTH if args.depth is None else args.depth
    search = Search(depth, tuple(args.include or ()), tuple(args.exclude or ()))
    return Access(args.connect, args.verify_manifest, getattr(args, "hash", False), configuration=args.configuration, search=search)


def tell(args: argparse.Namespace, images: Iterable[ImageReport]) -> None:
    """Log the outcome for ``images``, if there is a log."""
    if args.verbose or args.log_file:
        from v2vlint.cli import log

        log.told(args, images)


def request(args: argparse.Namespace, known: Settings, verb: str) -> Request:
    """The request made by the command line. UsageError when it names no guest. On a terminal, missing keys are asked for."""
    if args.ca_file:
        # Before the guests are looked for: that may connect to the server already.
        from v2vlint.run import trust

        trust.authority(args.ca_file)
    found = known.access.find(args.images, known.limits, known.jobs)
    if not found.guests:
        raise UsageError("no image given", hint=f"see 'v2vlint {verb} --help'")
    if getattr(args, "verbose", False) or getattr(args, "log_file", None):
        from v2vlint.cli import log

        log.begin(args, known, found.guests)
    unlock = keys.asked_for if keys.can_ask() else None
    return Request(known, found.guests, keys.collect(args.key_file or ()), unlock=unlock, not_judged=found.not_judged)
