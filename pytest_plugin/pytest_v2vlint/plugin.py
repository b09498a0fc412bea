"""Options and hooks. Imports only pytest, and does nothing unless an option, an ini key, the marker or a fixture asks for it."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from pytest_v2vlint import run
from pytest_v2vlint.fixtures import v2vlint_guest, v2vlint_images, v2vlint_open

__all__ = ["v2vlint_guest", "v2vlint_images", "v2vlint_open"]

MARKER = (
    "v2vlint(image=..., target=..., mover=..., root=...): the guest of the fixture v2vlint_guest; a list runs the test once for each. "
    "Items made by --v2vlint carry it too, so that -m v2vlint selects them"
)
_OPTIONS = (
    ("target", "NAME", "list", "target profile, .toml profile or libvirt XML; repeatable"),
    ("mover", "NAME", "string", "how the guest is moved there: raw or virt-v2v"),
    ("fail-on", "LEVEL", "string", "fail on findings at least this severe: error, warning or info"),
    ("profile", "NAME", "string", "minimal, default, template or strict"),
    ("select", "RULE", "list", "only these rules: ids, groups or globs; repeatable"),
    ("ignore", "RULE", "list", "not these rules ('forecast' for the forecast); repeatable"),
    ("baseline", "FILE", "string", "findings recorded there do not count"),
    ("unknown", "OUTCOME", "string", "how to treat an undecided rule: error (the default) or skip"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every option has an ini key of the same name, with underscores."""
    group = parser.getgroup("v2vlint", "what breaks when a virtual machine moves to other virtual hardware")
    group.addoption(
        "--v2vlint",
        action="append",
        default=[],
        metavar="IMAGE",
        help="Collect one item per rule for this guest: disk image, A+B, folder, OVA, OVF, VMX, libvirt XML or domain:NAME; repeatable",
    )
    group.addoption(
        "--v2vlint-collect", action="store_true", default=None, help="Collect disk images that are given or found as test files"
    )
    parser.addini("v2vlint_images", "Guests to collect items for, like --v2vlint, relative to the root folder", "args")
    parser.addini("v2vlint_collect", "Collect disk images that are given or found as test files", "bool", False)
    parser.addini("v2vlint_files", "File name patterns of those", "args", ["*.qcow2", "*.vmdk", "*.vhd", "*.vhdx", "*.vdi", "*.ova"])
    for name, metavar, kind, text in _OPTIONS:
        option, key, text = f"--v2vlint-{name}", f"v2vlint_{name.replace('-', '_')}", text[0].upper() + text[1:]
        if kind == "list":
            group.addoption(option, action="append", default=None, metavar=metavar, help=text)
            parser.addini(key, f"See {option}", "args")
        else:
            group.addoption(option, default=None, metavar=metavar, help=text)
            parser.addini(key, f"See {option}", "string", "")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", MARKER)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove all answers."""
    # A worker of xdist ends while others still use the folder.
    if not hasattr(config, "workerinput"):
        run.clean_up(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell xdist's workers where answers are shared."""
    node.workerinput["v2vlint_folder"] = str(run.folder(node.config))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Disk images as test files: those given as arguments with --v2vlint, and all that are found with v2vlint_collect."""
    config = parent.config
    everywhere = config.getoption("--v2vlint-collect") or config.getini("v2vlint_collect")
    if not everywhere and not (config.getoption("--v2vlint") and parent.session.isinitpath(file_path)):
        return None
    if not any(file_path.match(pattern) for pattern in config.getini("v2vlint_files")):
        return None
    from pytest_v2vlint.items import GuestFile

    return GuestFile.from_parent(parent, path=file_path)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the items of guests named by options, before -k and -m are applied."""
    images = run.images_of(config)
    if not images:
        return
    from pytest_v2vlint.items import guest_nodes

    known = {item.nodeid for item in items}
    for node, part in guest_nodes(session, images):
        prefix = f"{node.nodeid}::"
        if not part and any(name.startswith(prefix) for name in known):
            continue  # an argument names a part of this guest
        wanted = f"{prefix}{part}" if part else node.nodeid
        found = [item for item in session.genitems(node) if _is_below(item.nodeid, wanted)]
        if not found:
            raise pytest.UsageError(f"--v2vlint {wanted}: there is no such item; --collect-only lists them")
        items.extend(item for item in found if item.nodeid not in known)


def _is_below(nodeid: str, wanted: str) -> bool:
    """Whether ``wanted`` names the item, a collector above it, or the item for every target."""
    return nodeid == wanted or nodeid.startswith((f"{wanted}::", f"{wanted}["))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run of a test per guest and target: those of its markers, else of ``v2vlint_images`` in its module, else of the options."""
    if "v2vlint_guest" not in metafunc.fixturenames or _is_parametrised(metafunc):
        return
    marks = [mark.kwargs for mark in metafunc.definition.iter_markers("v2vlint")]
    # pytest lists the closest marker first, and that one has the last word.
    shared = {key: value for mark in reversed(marks) for key, value in mark.items() if key != "image"}
    asked = [mark for mark in marks if "image" in mark] or [{"image": image} for image in _images(metafunc)] or [{"image": ""}]
    wishes = list(dict.fromkeys(one for mark in asked for one in _wishes({**shared, **mark})))
    metafunc.parametrize("v2vlint_guest", wishes, indirect=True, ids=_names(wishes), scope="session")


def _is_parametrised(metafunc: pytest.Metafunc) -> bool:
    """Whether the test itself says which guests: ``parametrize("v2vlint_guest", [...], indirect=True)``."""
    marks = metafunc.definition.iter_markers("parametrize")
    names = [mark.args[0] if mark.args else mark.kwargs.get("argnames", "") for mark in marks]
    return any("v2vlint_guest" in (name.replace(",", " ").split() if isinstance(name, str) else name) for name in names)


def _images(metafunc: pytest.Metafunc) -> list[str]:
    """The options win, so that a suite can be pointed at another image."""
    own = getattr(metafunc.module, "v2vlint_images", ())
    written = [own] if isinstance(own, str) else [str(image) for image in own] if isinstance(own, list | tuple) else []
    given = run.guests_of(metafunc.config)
    return given if metafunc.config.getoption("--v2vlint") else written or given


def _wishes(mark: dict[str, str | list[str]]) -> list[tuple[tuple[str, str], ...]]:
    """One for every combination of what a marker gives as a list."""
    choices = {key: [value] if isinstance(value, str) else [str(one) for one in value] for key, value in sorted(mark.items())}
    return [tuple(zip(choices, chosen, strict=True)) for chosen in itertools.product(*choices.values())]


def _names(wishes: list[tuple[tuple[str, str], ...]]) -> list[str]:
    """Test ids: the image, and whatever else differs between the runs."""
    made = [dict(wish) for wish in wishes]
    differ = [key for key in ("target", "mover", "root") if len({one.get(key, "") for one in made}) > 1]
    return ["-".join(filter(None, (one["image"], *(one.get(key, "") for key in differ)))) or "guest" for one in made]


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """A comparison with text of a guest shows what was expected, what was found, and where."""
    places = [getattr(side, "where", "") for side in (left, right) if _is_of_a_guest(side)]
    if not places:
        return None
    found, expected = (left, right) if hasattr(left, "where") else (right, left)
    return [
        f"{left!r} {op} {right!r}",
        "",
        f"expected: {expected!r}",
        f"found:    {found!r}",
        f"place:    {places[0] or 'not in the guest'}",
    ]


def _is_of_a_guest(value: object) -> bool:
    """Whether it is a text or number of a guest; told by name, so that nothing is imported where no guest is tested."""
    return type(value).__module__ == "v2vlint.asking.views" and type(value).__name__ in ("Text", "Number")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """What pytest shows of a failed test that asked a guest holds text of the guest: no runner finds a command in it."""
    report = yield
    if report.longrepr is not None and any(name.startswith("v2vlint_") for name in getattr(item, "fixturenames", ())):
        from pytest_v2vlint.quiet import quieten  # only failures need it

        quieten(report.longrepr)
    return report
