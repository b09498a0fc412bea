"""``v2vlint prove``: boot the guest copy-on-write on the target's hardware, and compare with the forecast."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from v2vlint.cli import options, output
from v2vlint.model.errors import ImageError, UsageError

if TYPE_CHECKING:
    from v2vlint.model.proof import Proof
    from v2vlint.model.report import Forecast
    from v2vlint.model.source import GuestRef, Keys
    from v2vlint.model.target import Target

CAME_UP, DID_NOT, COULD_NOT_TELL = 0, 1, 3
_HELP = "exit codes: 0 the guest came up · 1 it did not · 2 usage or configuration · 3 undecided · 130 interrupted."


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.epilog = _HELP
    options.add_images(parser)
    group = parser.add_argument_group("the boot")
    group.add_argument("-t", "--target", action="append", metavar="NAME", help="target profile, .toml or libvirt XML; repeatable (kvm)")
    group.add_argument(
        "--via",
        choices=("firmware", "kernel"),
        default="firmware",
        help="kernel: boot the default kernel directly, with a serial console added",
    )
    group.add_argument("--firmware", choices=("bios", "uefi"), help="instead of the firmware chosen by the forecast")
    group.add_argument("--timeout", type=options.positive, metavar="SECONDS", help="give up after (300 with KVM, else 600)")
    group.add_argument("--memory", type=options.positive, metavar="MIB", help="instead of the target's")
    group.add_argument("--artifacts", metavar="DIR", help="keep the serial and firmware logs, last screen, packets and QEMU's command line")
    group.add_argument(
        "--key-file", action="append", metavar="[DEVICE=]PATH", help="key of an encrypted disk, for the forecast; repeatable"
    )
    options.add_configuration(parser)
    options.add_screen(parser)
    parser.add_argument("--format", choices=("text", "json"), default="text", help="the format on stdout")


def run(args: argparse.Namespace) -> int:
    """Boot every guest on every target, one at a time; the exit code is that of the worst outcome."""
    settings = options.settings(args)
    request = options.request(args, settings, "prove")
    boots = [(guest, target) for guest in request.guests for target in settings.targets]
    if len(boots) == 1:
        return exit_code([_one(args, *boots[0], request.keys, several=False)])
    return exit_code([_one_of_several(args, guest, target, request.keys) for guest, target in boots])


def exit_code(outcomes: Iterable[bool | None]) -> int:
    """1 when a guest did not come up, else 3 when one is undecided."""
    seen = set(outcomes)
    return DID_NOT if False in seen else COULD_NOT_TELL if None in seen else CAME_UP


def _one_of_several(args: argparse.Namespace, guest: GuestRef, target: Target, secrets: Keys) -> bool | None:
    """Its outcome; None if it cannot be booted, which does not keep the others from it."""
    try:
        return _one(args, guest, target, secrets, several=True)
    except ImageError as error:
        output.say(f"v2vlint: {guest.name} on {target.name}: {error.message}", *([f"  hint: {error.hint}"] if error.hint else []))
        return None


def _one(args: argparse.Namespace, guest: GuestRef, target: Target, secrets: Keys, *, several: bool) -> bool | None:
    from v2vlint.proving import Wish
    from v2vlint.run.progress import ProgressLine
    from v2vlint.run.proofs import prove

    artifacts = _folder(args.artifacts, f"{guest.name.replace('/', '_')}-{target.name}" if several else "")
    wish = Wish(args.via, args.firmware, args.timeout, args.memory, artifacts, secrets)
    with ProgressLine(1, not args.no_progress) as line:
        proof, predicted = prove(guest, target, wish, _progress(line.update, target))
    _log(args, guest, proof)
    _print(args, guest, proof, predicted)
    return proof.came_up


def _log(args: argparse.Namespace, guest: GuestRef, proof: Proof) -> None:
    if args.verbose or args.log_file:
        import shlex

        from v2vlint.cli import log

        seen = (
            f"{one.name}: {one.reached.value} {'' if one.seconds is None else f'after {one.seconds:.1f} s'}" for one in proof.milestones
        )
        log.write(args, [f"{guest.name}: {line}" for line in (f"run: {shlex.join(proof.command)}", *map(str.rstrip, seen))])


def _folder(artifacts: str | None, name: str) -> Path | None:
    """The folder for artifacts, created before the boot. UsageError when that fails."""
    if artifacts is None:
        return None
    folder = Path(artifacts) / name
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--artifacts {folder}: {(error.strerror or 'cannot be created').lower()}") from error
    return folder


def _progress(update: Callable[[list[str], int], None], target: Target) -> Callable[[str, float], None]:
    return lambda milestone, _seconds: update([f"booting on {target.name}: {milestone or 'power on'}"], 0)


def _print(args: argparse.Namespace, guest: GuestRef, proof: Proof, forecast: Forecast | None) -> None:
    if args.format == "json":
        import json

        from v2vlint.model.codec import encode

        agrees = proof.agrees(forecast) if forecast else None
        data = {"image": guest.name, "forecast": encode(forecast), "proof": encode(proof), "agree": agrees}
        output.write(json.dumps(data) + "\n", "json")
        return
    from v2vlint.report.proof import rows

    output.show(list(rows(guest.name, proof, forecast, output.look())), output.colours(args.color))
