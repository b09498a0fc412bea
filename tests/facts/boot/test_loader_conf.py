"""What systemd-boot 252, 257 and 262 start, as seen in OVMF with programs that print their name."""

from __future__ import annotations

import pytest

from tests.verdicts.asking import store
from v2vlint.facts.boot.systemd_boot import systemd_boot_menu
from v2vlint.model.finding import Fate
from v2vlint.model.rule import Hive, Link
from v2vlint.samples.boot import sample_boot
from v2vlint.samples.memory import memory_guest
from v2vlint.verdicts.kernel import KernelVerdict

OLD, NEW = 257, 262
UNKNOWN = None
WINDOWS = "EFI/Microsoft/Boot/bootmgfw.efi"


def start(version: int | None, conf: str = "", extra: tuple[str, ...] = (), **entries: str) -> str | None:
    """The program that starts by default: an entry's text is its program, or its whole text."""
    files: dict[str, str | bytes | Link | Hive] = {f"/efi/{name}": b"MZ" for name in ("one", "two", "three", *extra)}
    files["/efi/loader/loader.conf"] = conf
    for name, text in entries.items():
        file = name if name.lower().endswith(".conf") else f"{name}.conf"
        files[f"/efi/loader/entries/{file}"] = text if " " in text else f"linux /{text}\n"
    found = systemd_boot_menu(memory_guest(files), "/efi", (), "x64", version).default
    return (found.kernel or found.chainload).removeprefix("/efi/") if found else None


def versions(conf: str = "", extra: tuple[str, ...] = (), **entries: str) -> tuple[str | None, ...]:
    """By the old version, the new one, and one that is not known."""
    return tuple(start(version, conf, extra, **entries) for version in (OLD, NEW, None))


@pytest.mark.parametrize(
    ("entries", "started"),
    [
        ({"b": "uki /two\n", "a": "one"}, ("one", "two", UNKNOWN)),
        ({"a": "uki /one\n", "b": "two"}, ("two", "two", "two")),
        ({"b": "uki-url http://x/y\n", "a": "one"}, ("one", "http://x/y", UNKNOWN)),
        ({"b": "uki-url :y\n", "a": "one"}, ("one", "one", "one")),
        ({"b": "linux /two\nefi /three\n", "a": "one"}, ("three", "one", UNKNOWN)),
        ({"b": "efi /three\nlinux /two\n", "a": "one"}, ("two", "one", UNKNOWN)),
        ({"b": "linux /two\nlinux /three\n", "a": "one"}, ("three", "three", "three")),
        ({"b.CONF": "two", "a": "one"}, ("two", "two", "two")),
        ({"auto-b": "two", "a": "one"}, ("one", "one", "one")),
        ({".b": "two", "a": "one"}, ("one", "one", "one")),
    ],
)
def test_programs_of_an_entry(entries: dict[str, str], started: tuple[str | None, ...]) -> None:
    assert versions("", (), **entries) == started


@pytest.mark.parametrize(
    ("conf", "started"),
    [
        ("default a.conf\ndefault @current\n", "one"),
        ("default A.CONF\n", "one"),
        ("default a\n", "two"),
        ("default ?\n", "two"),
        ("default [a-a].conf\n", "one"),
        ("default [!b].conf\n", "two"),
        ("default [c!].conf\n", "two"),
        ("default [z-a].conf\n", "two"),
        ("default [a].c*f\n", "one"),
        ("default *a.*\n", "one"),
        ("default *a*b\n", "two"),
        ("default \\a.conf\n", "one"),
        ("default \\*.conf\n", "two"),
        ("default auto-windows\n", WINDOWS),
        ("default auto*\n", WINDOWS),
        ("auto-entries no\ndefault auto-windows\n", "two"),
        ("default auto-efi-shell\n", "shellx64.efi"),
        ("default auto-efi-default\n", UNKNOWN),
        ("default b.efi@factory\n", UNKNOWN),
        ("default *\n", "two"),
    ],
)
def test_the_setting_default(conf: str, started: str | None) -> None:
    assert versions(conf, (WINDOWS, "shellx64.efi"), a="one", b="two") == (started,) * 3


@pytest.mark.parametrize(
    ("conf", "entries", "started"),
    [
        ("preferred a.conf\n", {"a": "one"}, ("two", "one", UNKNOWN)),
        ("preferred a.conf\ndefault c.conf\n", {"a": "one", "c": "three"}, ("three", "one", UNKNOWN)),
        ("preferred a*.conf\n", {"a+0-3": "one"}, ("two", "two", "two")),
        ("preferred a*.conf\n", {"a+1": "one"}, ("two", "one", UNKNOWN)),
        ("preferred b.conf\n", {"a": "one"}, ("two", "two", "two")),
        ("preferred none\ndefault a.conf\n", {"a": "one"}, ("one", "one", "one")),
    ],
)
def test_the_setting_preferred(conf: str, entries: dict[str, str], started: tuple[str | None, ...]) -> None:
    """Like ``default``, before it, but for entries without attempts left; since version 260."""
    assert versions(conf, (), b="two", **entries) == started


@pytest.mark.parametrize(
    ("conf", "entries", "started"),
    [
        ("default a.conf\n", {"b": "two", "a+3": "one"}, ("two", "one")),
        ("default a*.conf\n", {"b": "two", "a+3": "one"}, ("one", "one")),
        ("", {"b+3": "two", "b.1": "one"}, ("two", "one")),
        ("", {"b-2+3": "two", "b-2.1": "one"}, ("two", "one")),
        ("", {"b+0": "two", "a+0": "one"}, ("two", "two")),
    ],
)
def test_names_with_counters(conf: str, entries: dict[str, str], started: tuple[str, str]) -> None:
    old, new = started
    found = tuple(start(version, conf, (), **entries) for version in (252, 257, 262, 255, None))
    assert found == (old, new, new, *(UNKNOWN if old != new else new,) * 2)


def test_only_windows_is_there() -> None:
    assert versions("", (WINDOWS,)) == (WINDOWS,) * 3
    assert versions("auto-entries off\n", (WINDOWS,)) == (None,) * 3


def test_patterns_take_no_time() -> None:
    assert start(NEW, f"default {'*a' * 400}b\n", (), a="one", **{"a" * 200: "two"}) == "two"


DEVICETREE = "linux /vmlinuz-6.1.0-13-amd64\ninitrd /initrd.img-6.1.0-13-amd64\noptions root=UUID=1\ndevicetree /a.dtb\n"


@pytest.mark.parametrize(("more", "fails"), [({}, True), ({"/boot/a.dtb": b"d"}, False)])
def test_nothing_starts_without_the_device_tree(more: dict[str, bytes], fails: bool) -> None:
    files: dict[str, str | bytes | Link | Hive] = {path: data for path, data in sample_boot().items() if "grub" not in path}
    files |= {"/boot/EFI/BOOT/BOOTX64.EFI": b"MZ LoaderInfo: systemd-boot 255", "/boot/loader/entries/a.conf": DEVICETREE, **more}
    causes = store(files).get(KernelVerdict).devicetree
    assert [(cause.fate, cause.reason) for cause in causes] == [(Fate.FAIL, "/boot/a.dtb does not exist")] * fails
