"""mkinitcpio (mkinitcpio.conf(5)) and booster (booster(1)), the generators of Arch Linux and derivatives."""

from __future__ import annotations

import re

from v2vlint.facts.initramfs.generator import GeneratorConfig, HostOnly
from v2vlint.facts.syntax.conf_vars import ConfVars, Insertion, conf_vars
from v2vlint.guest.fs import GuestFS
from v2vlint.guest.text import GuestText
from v2vlint.model.place import Token, WholeFile

MAIN, FOLDER = "/etc/mkinitcpio.conf", "/etc/mkinitcpio.conf.d"
PROGRAMS = ("/usr/bin/mkinitcpio", "/usr/sbin/mkinitcpio")
BOOSTER = "/etc/booster.yaml"
_UNIVERSAL = re.compile(r"^universal:[ \t]*(\S+)", re.MULTILINE)
_MODULES = re.compile(r"^modules(?P<force>_force_load)?:[ \t]*(?P<value>[^\n#]*?)[ \t]*(?:#[^\n]*)?$", re.MULTILINE)
_NAME = re.compile(r"[\w./*-]+")


def mkinitcpio(fs: GuestFS) -> GeneratorConfig:
    """mkinitcpio's configuration: the hook ``autodetect`` limits all later hooks to the building machine."""
    paths = [MAIN, *(f"{FOLDER}/{name}" for name in fs.listdir(FOLDER) if name.endswith(".conf"))]
    settings = conf_vars((fs.text(path) for path in paths), fs=fs)
    names = settings.words("MODULES")
    return GeneratorConfig(
        "mkinitcpio",
        installed=any(fs.exists(path) for path in PROGRAMS),
        host_only=_autodetect(settings),
        added=names,
        # These are loaded as well, before any hook runs (mkinitcpio.conf(5)).
        forced=names,
        insertion=_insertion(settings),
        files=settings.files,
    )


def _autodetect(settings: ConfVars) -> HostOnly | None:
    hooks = settings.words("HOOKS")
    position = next((index for index, hook in enumerate(hooks) if hook.value == "autodetect"), None)
    # Only hooks after autodetect are limited, and block is the one with the drivers of disks.
    if position is None or all(hook.value != "block" for hook in hooks[position:]):
        return None
    return HostOnly("the hook autodetect before block", hooks[position].where)


def _insertion(settings: ConfVars) -> Insertion:
    modules = settings.assignment("MODULES")
    if modules is None:
        return Insertion(f"{FOLDER}/v2vlint.conf", None, "MODULES+=(", " ", ")\n")
    return modules.insertion()


def booster(fs: GuestFS) -> GeneratorConfig:
    """booster's configuration: unless ``universal: true``, only modules loaded on the building machine are included."""
    text = fs.text(BOOSTER)
    installed = fs.exists("/usr/bin/booster")
    universal = _UNIVERSAL.search(text.content) if text else None
    limited = installed and not (universal and universal[1] == "true")
    lists = {bool(match["force"]): _names(text, match) for match in _MODULES.finditer(text.content)} if text else {}
    return GeneratorConfig(
        "booster",
        installed=installed,
        host_only=HostOnly("universal is not true", WholeFile(BOOSTER)) if limited else None,
        added=tuple(name for name in lists.get(False, ()) if not name.value.startswith("-")),
        forced=lists.get(True, ()),
        # A minus takes a module out (booster(1)).
        omitted=tuple(name for name in lists.get(False, ()) if name.value.startswith("-")),
        insertion=_booster_insertion(text),
        files=(BOOSTER,) if text else (),
    )


def _names(text: GuestText, match: re.Match[str]) -> tuple[Token, ...]:
    found = _NAME.finditer(text.content, match.start("value"), match.end("value"))
    return tuple(text.token(name.start(), name.end()) for name in found)


def _booster_insertion(text: GuestText | None) -> Insertion:
    if text is None:
        return Insertion(BOOSTER, None, "modules: ", ",", "\n")
    listed = next((match for match in _MODULES.finditer(text.content) if not match["force"]), None)
    if listed and listed["value"]:
        end = listed.end("value")
        return Insertion(BOOSTER, text.span(end, end), ",", ",", "")
    end = len(text.content)
    return Insertion(BOOSTER, text.span(end, end), "modules: " if not end or text.content.endswith("\n") else "\nmodules: ", ",", "\n")
