"""The child's side of a check: open the guest, judge its roots. Runs under :mod:`v2vlint.isolate`, never in the parent."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import pkgutil
import sys
import time
from collections.abc import Iterable
from typing import Any

from v2vlint import disk, target
from v2vlint.engine import boot
from v2vlint.engine.decisions import decide, own_rules
from v2vlint.engine.glance import glance
from v2vlint.engine.judge import judge, judge_machine
from v2vlint.engine.packs import LoadedRule, load_all
from v2vlint.engine.present import Presenter
from v2vlint.engine.protocol import CheckAsk, Judged, Selection, digest_of
from v2vlint.engine.select import choose, forecast_wanted, infos
from v2vlint.facts.boot.who import Systems, system_of
from v2vlint.facts.conversion.command import virt_v2v_command
from v2vlint.facts.registry import FactStore
from v2vlint.guest.open import GuestContents, Root, changes, open_guest
from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import build_all
from v2vlint.model.definition import Definition
from v2vlint.model.errors import ImageError, PackError, V2vlintError
from v2vlint.model.finding import Mover
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.report import ImageReport, Origin, Problem, RootReport
from v2vlint.model.rule import Content, Example, RuleInfo
from v2vlint.model.secrecy import without_secrets
from v2vlint.model.source import GuestRef, GuestSource
from v2vlint.model.target import Target
from v2vlint.source.door import doors
from v2vlint.source.kind import kinds
from v2vlint.source.locate import locate


def preload(many: bool) -> None:
    """Import the installed rule packs before children are forked.

    For ``many`` guests also every reader, which one alone may not need, and all rules judge two made-up guests, so that what they and the
    facts prepare at first use (patterns, annotations, tables) is there for all children.
    """
    import_rules(Selection())
    if not many:
        return
    kinds()
    doors()
    for found in pkgutil.walk_packages(disk.__path__, f"{disk.__name__}."):
        with contextlib.suppress(ImportError):
            importlib.import_module(found.name)
    with contextlib.suppress(V2vlintError):
        check(encode(CheckAsk(GuestRef("nothing", "disks", ()), (target.load("kvm"),))))
    for windows in (False, True):
        # Only a rehearsal: what fails here is reported when a guest is judged.
        with contextlib.suppress(Exception):
            _rehearse(windows)
    build_all()


def _rehearse(windows: bool) -> None:
    """Judge a guest with the files of the rules' first examples, as far as they are compatible."""
    from v2vlint.engine.examples import example_store

    files: dict[str, Content] = {}
    for example in (example for loaded in load_all() for example in loaded.rule.examples[:2]):
        if windows == any(path.startswith("/Windows") for path in example.files):
            # What is a file in one example may be a folder in another.
            files |= {path: content for path, content in example.files.items() if not any(_nested(path, other) for other in files)}
    store = example_store(Example(files))
    reports = judge(store, load_all(), (store.get(Target),), Mover.RAW, (Presenter(""),))
    decode(RootReport, encode(RootReport("", store.get(OsInfo), glance(store, "", ""), reports)))


def _nested(path: str, other: str) -> bool:
    return path == other or path.startswith(f"{other}/") or other.startswith(f"{path}/")


def warm(request: Any) -> None:
    """Import the rule packs before the child is confined: they belong to the operator, and may store compiled code beside them."""
    import_rules(decode(Selection, request["selection"]))


def import_rules(selection: Selection) -> None:
    """Import every rule that may be selected. Errors are reported later, when rules are chosen."""
    with contextlib.suppress(PackError):
        load_all(selection.folders)


def check(request: Any) -> Any:
    """Answer an encoded :class:`~v2vlint.engine.protocol.CheckAsk` with an encoded :class:`~v2vlint.engine.protocol.Judged`."""
    ask = decode(CheckAsk, request)
    image = judge_guest(ask)[0].image
    rules, digest = _encoded(ask.selection, tuple(sys.path), own_rules(image))
    return {"$": Judged.__name__, "image": without_secrets(encode(image)), "rules": digest if digest == ask.known else rules}


@functools.cache
def _chosen(selection: Selection, _path: tuple[str, ...]) -> tuple[tuple[LoadedRule, ...], tuple[RuleInfo, ...]]:
    """The selected rules, and what a report needs about them: once for all children, which then touch little of it."""
    rules = choose(load_all(selection.folders), selection)
    return rules, infos(rules, selection)


@functools.cache
def _encoded(selection: Selection, path: tuple[str, ...], own: tuple[RuleInfo, ...]) -> tuple[Any, str]:
    """What a report needs about the rules, and the engine's ``own``, as JSON-ready data, and its digest."""
    data = encode((*_chosen(selection, path)[1], *own))
    return data, digest_of(data)


def judge_guest(ask: CheckAsk) -> tuple[Judged, GuestContents | None]:
    """Judge the guest as the user requested: selection before, decisions after. Everything that acts on findings gets them from here.

    Also returns the opened guest for further use (None when it cannot be opened).
    """
    rules, told = _chosen(ask.selection, tuple(sys.path))
    image, guest = examine(ask, rules)
    image = decide(image, ask.decisions)
    return Judged(image, (*told, *own_rules(image))), guest


def examine(ask: CheckAsk, rules: Iterable[LoadedRule]) -> tuple[ImageReport, GuestContents | None]:
    """Open the guest and judge it by ``rules``, before any decision. An image that cannot be opened is a report with its problem."""
    guest: GuestContents | None = None
    started = time.perf_counter()
    report = ImageReport(ask.guest.name, ask.guest.paths, "", 0, (), ())
    try:
        source = locate(ask.guest)
        guest = open_guest(dataclasses.replace(source, disks=()) if ask.unopened else source, ask.keys)
        report = _judge_opened(ask, source, guest, tuple(rules))
    except ImageError as error:
        report = dataclasses.replace(report, problems=(Problem(ask.guest.name, error.message, error.hint),))
    return dataclasses.replace(report, seconds=time.perf_counter() - started), guest


def _judge_opened(ask: CheckAsk, source: GuestSource, guest: GuestContents, rules: tuple[LoadedRule, ...]) -> ImageReport:
    presenters = tuple(Presenter(logical_name(ask)) for _target in ask.targets)
    definition = source.definition or Definition("", "")
    systems = frozenset(root.os.kind for root in guest.roots)
    machine = judge_machine(definition, systems, (rule for rule in rules if rule.of_the_machine), ask.targets, ask.mover, presenters)
    fitting = tuple(rule for rule in rules if not rule.of_the_machine)
    roots: list[RootReport] = []
    problems = list(guest.problems)
    stores = [FactStore((root.fs, guest.blocks, root.os, definition, ask.names)) for root in guest.roots]
    several = tuple(map(system_of, guest.roots, stores)) if len(stores) > 1 else ()
    for own, (root, store) in enumerate(zip(guest.roots, stores, strict=True)):
        try:
            roots.append(_judge_root(ask, root, store.with_given(Systems(several, own)), fitting, presenters))
        # The guest as a whole has reached its limit: the parent says so (isolate.py).
        except MemoryError:
            raise
        except ImageError as error:
            problems.append(Problem(ask.guest.name, error.message, error.hint))
        except Exception as error:
            # A fault in one system must not hide the findings of the others.
            problems.append(Problem(root.device, f"judging it failed: {type(error).__name__}: {error}"))
    problems += (_by_name_only(root) for root in guest.roots if root.os.kind == "other")
    problems += changes(guest)
    paths = tuple(disk.path for disk in source.disks)
    devices = guest.blocks.devices
    origin = Origin(definition.source, definition.name, definition.uuid)
    report = ImageReport(ask.guest.name, paths, guest.format, guest.size, devices, tuple(roots), tuple(problems), machine=machine)
    return dataclasses.replace(report, origin=origin)


def _by_name_only(root: Root) -> Problem:
    """The report of a system that is recognised but not judged: the lack of findings must not look like a pass."""
    return Problem(root.device, f"{root.os.name} is known by name only: whether it boots on the target is not judged")


def _judge_root(
    ask: CheckAsk, root: Root, store: FactStore, rules: tuple[LoadedRule, ...], presenters: tuple[Presenter, ...]
) -> RootReport:
    targets = judge(store, rules, ask.targets, ask.mover, presenters)
    if forecast_wanted(ask.selection):
        targets = boot.counted(targets, presenters, root.fs)
    several = len(store.get(Systems).found) > 1
    stores = (store.with_given(target, ask.mover) for target in ask.targets)
    commands = (virt_v2v_command(ask.guest, one, root.device, root.subvolume, several) for one in stores)
    targets = tuple(dataclasses.replace(target, command=command) for target, command in zip(targets, commands, strict=True))
    return RootReport(root.device, root.os, glance(store, root.device, root.subvolume), targets)


def logical_name(ask: CheckAsk) -> str:
    """The guest's name without folders, independent of the folder it is checked from."""
    return "+".join(path.rsplit("/", 1)[-1] for path in ask.standing_for or ask.guest.paths) or ask.guest.name
