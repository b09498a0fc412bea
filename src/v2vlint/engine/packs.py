"""Find rule packs by entry point and custom rules in folders, import them, and collect their rules."""

from __future__ import annotations

import functools
import hashlib
import importlib
import importlib.util
import inspect
import pkgutil
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import ModuleType

from v2vlint.facts.registry import needs, rests_only_on
from v2vlint.model.dataclass import dataclass
from v2vlint.model.definition import Definition
from v2vlint.model.entry_points import EntryPoint, entry_points
from v2vlint.model.errors import PackError
from v2vlint.model.finding import Mover
from v2vlint.model.rule import Rule, RuleInfo
from v2vlint.model.target import Target

GROUP = "v2vlint.rules"
_OF_THE_MACHINE = frozenset({Definition, Target, Mover})


@dataclass(frozen=True, slots=True)
class LoadedRule:
    """A rule instance and its origin. ``group`` is its folder in the pack."""

    rule: Rule
    pack: str
    group: str

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.rule.id

    @property
    def of_the_machine(self) -> bool:
        """Whether it needs the definition and nothing from the disks: such a rule judges the machine once instead of each root."""
        asked = set(needs(type(self.rule).check).values())
        return Definition in asked and all(rests_only_on(kind, _OF_THE_MACHINE) for kind in asked)

    @functools.cache  # noqa: B019
    def info(self) -> RuleInfo:
        """The data that reports and listings need."""
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


def load_all(folders: Iterable[str] = ()) -> tuple[LoadedRule, ...]:
    """All rules of all installed packs, and of the Python files in ``folders``, sorted by id.

    PackError names the pack, or the file and line, that cannot be loaded, or a rule id used twice.
    """
    rules: dict[str, LoadedRule] = {}
    for found in (*_installed(tuple(sys.path)), *map(load_folder, dict.fromkeys(folders))):
        for loaded in found:
            if loaded.id in rules:
                raise PackError(f"rule {loaded.id} is in both {rules[loaded.id].pack} and {loaded.pack}")
            rules[loaded.id] = loaded
    return tuple(rules[key] for key in sorted(rules))


@functools.cache
def _installed(_path: tuple[str, ...]) -> tuple[tuple[LoadedRule, ...], ...]:
    """The rules of every pack on the path, which is searched once."""
    packs = sorted(entry_points(GROUP), key=lambda entry: (entry.name, entry.value))
    return tuple(tuple(_load(pack)) for pack in packs)


@functools.cache
def load_folder(folder: str) -> tuple[LoadedRule, ...]:
    """The rules in the ``*.py`` files of a folder, which serves as pack and group. PackError names the file and line at fault.

    The folder is read only once: a confined child can no longer list it.
    """
    place, rules = Path(folder), list[LoadedRule]()
    if not place.is_dir():
        raise PackError(f"{folder}: no such folder of rules")
    for path in sorted(place.glob("*.py")):
        if path.name.startswith(("_", "test_")):
            continue
        found = list(_rules(_module(path)))
        if not found:
            raise PackError(f"{path}: defines no rule", hint="a rule is a subclass of v2vlint.api.Rule")
        rules += (LoadedRule(kind(), place.name, place.name) for kind in found)
    return tuple(rules)


def _module(path: Path) -> ModuleType:
    """Import the file as a module, once. The module's name includes the path, because two folders may have a file of the same name."""
    name = f"_v2vlint_own_{hashlib.sha256(bytes(path.resolve())).hexdigest()[:16]}_{path.stem}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if not isinstance(error, Exception):
            raise
        raise PackError(f"{path}{_line(error, path)}: {type(error).__name__}: {error}") from error
    return module


def _line(error: Exception, path: Path) -> str:
    """``:LINE`` for the last line of the file itself in the error's traceback."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f":{error.lineno}"
    import traceback

    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).resolve() == path.resolve()]
    return f":{lines[-1]}" if lines else ""


def _rules(module: ModuleType) -> Iterator[type[Rule]]:
    for kind in vars(module).values():
        # Most of a module is imported from elsewhere, and asking an abstract class for its subclasses is slow.
        if isinstance(kind, type) and kind.__module__ == module.__name__ and issubclass(kind, Rule) and not inspect.isabstract(kind):
            yield kind


def _load(entry: EntryPoint) -> Iterator[LoadedRule]:
    try:
        package = importlib.import_module(entry.module)
        modules = [package, *_submodules(package)]
    except Exception as error:
        raise PackError(f"rule pack {entry.name!r} ({entry.value}) cannot be loaded: {error}") from error
    for module in modules:
        group = module.__name__.removeprefix(package.__name__).strip(".").split(".")[0]
        yield from (LoadedRule(kind(), entry.name, group) for kind in _rules(module))


def _submodules(package: ModuleType) -> Iterator[ModuleType]:
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        yield importlib.import_module(found.name)
