"""Finding rule packs by entry point, importing them, and collecting their rules: three phases, as plain data."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

from v2vlint.facts.registry import needs, rests_only_on
from v2vlint.model.definition import Definition
from v2vlint.model.errors import PackError
from v2vlint.model.finding import Mover
from v2vlint.model.rule import Rule, RuleInfo
from v2vlint.model.target import Target

GROUP = "v2vlint.rules"
_OF_THE_MACHINE = frozenset({Definition, Target, Mover})


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule instance with where it came from. ``group`` is its folder in the pack."""

    rule: Rule
    pack: str
    group: str

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id

    @property
    def of_the_machine(self) -> bool:
        """Whether it asks for the definition and nothing of the disks: such a rule judges the machine, once, and not each of its roots."""
        asked = set(needs(type(self.rule).check).values())
        return Definition in asked and all(rests_only_on(kind, _OF_THE_MACHINE) for kind in asked)

    def info(self) -> RuleInfo:
        """What reports and listings need to know about it."""
        kind = type(self.rule)
        doc = inspect.cleandoc(kind.__doc__ or "")
        return RuleInfo(
            id=kind.id,
            group=self.group,
            title=doc.split("\n", 1)[0],
            severity=kind.severity,
            audience=kind.audience,
            fixable=any(example.fixed is not None for example in kind.examples),
            since=kind.since,
            pack=self.pack,
            help=doc,
            facts=tuple(fact.__name__ for fact in needs(kind.check).values()),
        )


def load_all() -> tuple[LoadedRule, ...]:
    """All rules of all installed packs, sorted by id. PackError names the pack that cannot be loaded, or a rule id used twice."""
    rules: dict[str, LoadedRule] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        for loaded in _load(entry):
            if loaded.id in rules:
                raise PackError(f"rule {loaded.id} is in both {rules[loaded.id].pack} and {loaded.pack}")
            rules[loaded.id] = loaded
    return tuple(rules[key] for key in sorted(rules))


def _load(entry: EntryPoint) -> Iterator[LoadedRule]:
    try:
        package = importlib.import_module(entry.module)
        modules = [package, *_submodules(package)]
    except Exception as error:
        raise PackError(f"rule pack {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
    for module in modules:
        group = module.__name__.removeprefix(package.__name__).strip(".").split(".")[0]
        for kind in vars(module).values():
            if inspect.isclass(kind) and issubclass(kind, Rule) and kind.__module__ == module.__name__ and not inspect.isabstract(kind):
                yield LoadedRule(kind(), entry.name, group)


def _submodules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        yield importlib.import_module(found.name)
