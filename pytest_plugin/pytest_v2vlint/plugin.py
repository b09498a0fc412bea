"""Options and hooks. Imports only pytest, and does nothing until asked: by an option, an ini key, the marker or a fixture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_v2vlint import run
from pytest_v2vlint.fixtures import v2vlint_guest, v2vlint_open

__all__ = ["v2vlint_guest", "v2vlint_open"]

MARKER = (
    "v2vlint(image=..., target=..., mover=...): the guest of the fixture v2vlint_guest. Items made by --v2vlint carry it too, "
    "so that -m v2vlint selects them"
)
_OPTIONS = (
    ("target", "NAME", "list", "target profile, .toml profile or libvirt XML; repeatable"),
    ("mover", "NAME", "string", "who carries the guest there: raw or virt-v2v"),
    ("fail-on", "LEVEL", "string", "fail on findings at least this severe: error, warning or info"),
    ("profile", "NAME", "string", "minimal, default, template or strict"),
    ("select", "RULE", "list", "only these rules: ids, groups or globs; repeatable"),
    ("ignore", "RULE", "list", "not these rules ('forecast' for the forecast); repeatable"),
    ("baseline", "FILE", "string", "findings recorded there do not count"),
    ("unknown", "OUTCOME", "string", "what becomes of a rule that could not tell: error (the default) or skip"),
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every option has an ini key of the same name, with underscores."""
    group = parser.getgroup("v2vlint", "what breaks when a virtual machine lands on other virtual hardware")
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
    """Make the marker known."""
    config.addinivalue_line("markers", MARKER)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave no answers behind."""
    if not hasattr(config, "workerinput"):
        run.clean_up(config)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell xdist's workers where they share answers."""
    node.workerinput["v2vlint_folder"] = str(run.folder(node.config))


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Disk images as test files: those given as arguments when --v2vlint is used, all that are found with v2vlint_collect."""
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
    """Add the items of the guests that options name, before -k and -m look at them."""
    images = run.images_of(config)
    if not images:
        return
    from pytest_v2vlint.items import guest_nodes

    known = {item.nodeid for item in items}
    for node in guest_nodes(session, images):
        items.extend(item for item in session.genitems(node) if item.nodeid not in known)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One run of a test per guest: those of its markers, else those of the options."""
    if "v2vlint_guest" not in metafunc.fixturenames:
        return
    marks = [mark.kwargs for mark in metafunc.definition.iter_markers("v2vlint")]
    asked = [mark for mark in marks if "image" in mark] or [{"image": image} for image in run.images_of(metafunc.config)] or [{"image": ""}]
    shared = {key: value for mark in reversed(marks) for key, value in mark.items() if key != "image"}
    params = [tuple(sorted({**shared, **mark}.items())) for mark in asked]
    metafunc.parametrize("v2vlint_guest", params, indirect=True, ids=[mark["image"] or "no-image" for mark in asked], scope="session")


def pytest_assertrepr_compare(config: pytest.Config, op: str, left: object, right: object) -> list[str] | None:
    """A comparison with text of a guest shows what was expected, what was found, and where."""
    places = [
        getattr(side, "where", "")
        for side in (left, right)
        if type(side).__name__ == "Text" and type(side).__module__ == "pytest_v2vlint.views"
    ]
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
