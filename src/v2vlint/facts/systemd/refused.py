"""Unit files that systemd refuses to load ("bad-setting"), whichever program they name.

These are the checks of service_verify(), socket_verify() and the like that every version from 219 to 260 makes. Tried with Debian's
systemd in a container: tests/facts/boot/test_boot_end.py.
"""

from __future__ import annotations

from v2vlint.facts.syntax.systemd_unit import Unit

_TYPES = frozenset({"simple", "exec", "forking", "oneshot", "dbus", "notify", "notify-reload", "idle"})
_PATHS = frozenset({"PathExists", "PathExistsGlob", "PathChanged", "PathModified", "DirectoryNotEmpty"})


def refusal(unit: Unit) -> str:
    """Why the unit cannot be loaded, to follow its name; empty if nothing is known against it."""
    # Before version 246 a file could take in another one.
    if any(line.text.startswith(".include") for text in unit.texts for line in text.lines()):
        return ""
    kind = unit.name.rpartition(".")[2]
    if kind == "service":
        return _service(unit)
    if kind == "mount":
        return "" if unit.get("Mount", "What") else "has no What="
    stated = {setting.key for section in unit.ini.named(kind.capitalize()) for setting in section.settings if setting.value.value}
    if kind == "socket":
        return "" if any(key.startswith("Listen") for key in stated) else "listens to nothing"
    if kind == "timer":
        return "" if any(key.startswith("On") for key in stated) else "has no time"
    return "watches no path" if kind == "path" and not stated & _PATHS else ""


def _service(unit: Unit) -> str:
    starts, name = unit.ini.all("Service", "ExecStart"), any(unit.stated("Service", "BusName"))
    valid = [one for one in unit.stated("Service", "Type") if one in _TYPES]
    kind = valid[-1] if valid else "dbus" if name else "simple" if starts else "oneshot"
    if kind == "dbus" and not name:
        return "is of Type=dbus and has no BusName="
    if starts:
        return "has several ExecStart= without Type=oneshot" if len(starts) > 1 and kind != "oneshot" else ""
    # Stock units that end the session of the machine: systemd-poweroff.service.
    acts = [one for one in unit.stated("Unit", "SuccessAction") if one]
    stays = unit.boolean("Service", "RemainAfterExit") and unit.ini.all("Service", "ExecStop")
    return "" if kind == "oneshot" and (stays or (acts and acts[-1] != "none")) else "has no ExecStart="
