"""The Python API behind :func:`v2vlint.check` and the other functions: keyword arguments become a request."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from v2vlint.engine.config import Config, parse, read
from v2vlint.model.errors import UsageError
from v2vlint.model.plain import Table
from v2vlint.model.report import Forecast, Report
from v2vlint.model.source import Key, Keys
from v2vlint.run.request import Progress, Request
from v2vlint.run.settings import Access, found, settle

if TYPE_CHECKING:
    from v2vlint.defining.protocol import ProposedMachine
    from v2vlint.model.diagnosis import Diagnosis
    from v2vlint.model.machine import Machine
    from v2vlint.model.proof import Proof, Via
    from v2vlint.run.fixing import FixReport, FixWish

PathText = str | os.PathLike[str]
Image = PathText | Sequence[PathText]
Texts = str | Sequence[str]


class Wishes(TypedDict, total=False):
    """Keyword arguments of :func:`v2vlint.check` and the other functions: the keys of the configuration, and those in ``OWN``."""

    target: Texts
    mover: str
    profile: str
    select: Texts
    ignore: Texts
    fail_on: str
    strict: bool
    jobs: int
    baseline: PathText
    docs_url: str
    memory_limit: str
    cpu_limit: int
    time_limit: int
    allow_folder: Texts
    rules: Texts
    severity: Mapping[str, str]
    exceptions: Sequence[Table]
    targets: Mapping[str, Table]
    config: PathText
    connect: str
    verify_manifest: bool
    configuration: str
    keys: Sequence[bytes | str | Key]
    progress: Progress


OWN = frozenset({"config", "connect", "verify_manifest", "configuration", "keys", "progress"})
"""Arguments that are no keys of the configuration."""


def request(images: Sequence[Image], wishes: Wishes) -> Request:
    """The request for the arguments of an API function. UsageError names the invalid argument."""
    if not images:
        raise UsageError("no image given")
    for key in sorted({"report", "format"} & wishes.keys()):
        raise UsageError(
            f"arguments: {key} is for the command line", hint="v2vlint.report.registry.renderer(FORMAT)(report) writes a report"
        )
    said = parse({key.replace("_", "-"): _plain(value) for key, value in wishes.items() if key not in OWN}, "arguments")
    access = Access(wishes.get("connect", ""), wishes.get("verify_manifest", False), configuration=wishes.get("configuration", ""))
    settings = settle(said, configured(wishes.get("config")), access)
    found = settings.access.find([_joined(image) for image in images], settings.limits, settings.jobs)
    return Request(settings, found.guests, _keys(wishes.get("keys", ())), wishes.get("progress"), not_judged=found.not_judged)


def configured(place: PathText | None) -> Config:
    """The configuration file at ``place``; for a folder, the one found there or above; None means no configuration."""
    if place is None:
        return Config()
    return found(Path(place).absolute()) if Path(place).is_dir() else read(Path(place))


def _joined(image: Image) -> str:
    return os.fspath(image) if isinstance(image, str | os.PathLike) else "+".join(os.fspath(part) for part in image)


def _plain(value: object) -> object:
    """A value in the form it would have in a TOML file."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value


def _keys(keys: Sequence[bytes | str | Key]) -> Keys:
    return Keys(tuple(key if isinstance(key, Key) else Key(os.fsencode(key)) for key in keys))


def check(images: Sequence[Image], wishes: Wishes) -> Report:
    """See :func:`v2vlint.check`."""
    from v2vlint.run import checking

    return checking.check(request(images, wishes))


def forecast(image: Image, wishes: Wishes) -> Forecast:
    """See :func:`v2vlint.forecast`."""
    from v2vlint.run import checking

    return checking.forecast(request([image], wishes))


def inspect(images: Sequence[Image], applications: bool, wishes: Wishes) -> tuple[Machine, ...]:
    """See :func:`v2vlint.inspect`."""
    from v2vlint.run import inspecting

    return inspecting.inspect(request(images, wishes), applications=applications)


def fix_wish(
    *,
    diff: bool,
    output: PathText | None,
    unsafe: bool,
    rebuild: bool,
    names: tuple[bool, Mapping[str, str]],
    virtio_win: PathText,
    writer: str,
) -> FixWish:
    """The options of :func:`v2vlint.fix` as one object. UsageError for an invalid MAC address or an unknown writer."""
    from v2vlint.run.fixing import FixWish, card_names, writer_named

    keep, macs = names
    copy = None if output is None else Path(output)
    return FixWish(diff, copy, unsafe, rebuild, card_names(keep, macs.items()), os.fspath(virtio_win), writer_named(writer))


def fix(images: Sequence[Image], wish: FixWish, wishes: Wishes) -> FixReport:
    """See :func:`v2vlint.fix`."""
    from v2vlint.run import checking, fixing

    started = time.perf_counter()
    asked = request(images, wishes)
    outcomes = tuple(fixing.fix(asked, wish))
    rules = [rule for outcome in outcomes for rule in outcome.rules]
    found, spent = [outcome.image for outcome in outcomes], time.perf_counter() - started
    report = checking.report_of(asked.settings, found, rules, spent, asked.not_judged)
    return fixing.FixReport(outcomes, report)


def prove(image: Image, via: Via, timeout: float | None, wishes: Wishes) -> Proof:
    """See :func:`v2vlint.prove`."""
    from v2vlint import proving
    from v2vlint.run import proofs

    asked = request([image], wishes)
    return proofs.prove(asked.only_guest(), asked.only_target(), proving.Wish(via, timeout=timeout, keys=asked.keys))[0]


def diagnose(log: PathText, image: Image | None, wishes: Wishes) -> Diagnosis:
    """See :func:`v2vlint.diagnose`."""
    from v2vlint.engine.packs import load_all
    from v2vlint.run import diagnosing

    if image is None and wishes:
        raise UsageError(f"{', '.join(sorted(wishes))}: without an image there is nothing to judge")
    asked = None if image is None else request([image], wishes)
    rules = load_all(asked.settings.selection.folders if asked else ())
    # Absolute, so that "-" is a file: the library reads no stdin.
    found = diagnosing.diagnose(str(Path(log).absolute()), io.BytesIO(), rules)
    return found if asked is None else diagnosing.with_image(found, asked)


def define(image: Image, wishes: Wishes) -> ProposedMachine:
    """See :func:`v2vlint.define`."""
    from v2vlint import target
    from v2vlint.defining import DefineAsk, define

    asked = request([image], wishes)
    arm = None if "target" in wishes else target.load("kvm-aarch64")
    return define(DefineAsk(asked.only_guest(), asked.only_target(), asked.keys, arm), asked.settings.limits)
