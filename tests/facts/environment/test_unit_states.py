"""Enablement of units, held against ``systemctl --root``."""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.facts.guests import Files, fact
from v2vlint.facts.environment.services import Services
from v2vlint.facts.environment.unit_states import UnitState, unit_state
from v2vlint.facts.systemd.unit_files import UnitFiles
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest

ETC, LIB = "/etc/systemd/system", "/usr/lib/systemd/system"
BASE: dict[str, str | bytes | Link] = {"/usr/lib/systemd/systemd": "", "/etc/machine-id": "0" * 31 + "1\n"}
WANTED = f"{ETC}/t.target.wants"
INSTALL = "[Service]\nExecStart=/bin/true\n[Install]\nWantedBy=multi-user.target\n"
PLAIN = "[Service]\nExecStart=/bin/true\n"

GUESTS: dict[str, tuple[str, dict[str, str | bytes | Link]]] = {
    "enabled": ("a.service", {f"{LIB}/a.service": INSTALL, f"{ETC}/multi-user.target.wants/a.service": Link(f"{LIB}/a.service")}),
    "disabled": ("a.service", {f"{LIB}/a.service": INSTALL}),
    "static": ("a.service", {f"{LIB}/a.service": PLAIN, f"{LIB}/multi-user.target.wants/a.service": Link("../a.service")}),
    "a link of the vendor enables nothing": (
        "a.service",
        {f"{LIB}/a.service": INSTALL, f"{LIB}/multi-user.target.wants/a.service": Link("../a.service")},
    ),
    "masked": (
        "a.service",
        {
            f"{LIB}/a.service": INSTALL,
            f"{ETC}/a.service": Link("/dev/null"),
            f"{ETC}/multi-user.target.wants/a.service": Link(f"{LIB}/a.service"),
        },
    ),
    "masked by an empty file": ("a.service", {f"{LIB}/a.service": INSTALL, f"{ETC}/a.service": ""}),
    "alias": ("sshd.service", {f"{LIB}/ssh.service": INSTALL, f"{ETC}/sshd.service": Link(f"{LIB}/ssh.service")}),
    "enabled by its alias": (
        "ssh.service",
        {f"{LIB}/ssh.service": f"{INSTALL}Alias=sshd.service\n", f"{ETC}/sshd.service": Link(f"{LIB}/ssh.service")},
    ),
    "indirect by an alias of others": ("ssh.service", {f"{LIB}/ssh.service": INSTALL, f"{ETC}/x.service": Link(f"{LIB}/ssh.service")}),
    "indirect by Also": (
        "a.socket",
        {f"{LIB}/a.socket": "[Socket]\nListenStream=1\n[Install]\nAlso=b.service\n", f"{LIB}/b.service": PLAIN},
    ),
    "linked": ("a.service", {"/opt/a.service": INSTALL, f"{ETC}/a.service": Link("/opt/a.service")}),
    "drop-in with an install section": (
        "a.service",
        {f"{LIB}/a.service": PLAIN, f"{ETC}/a.service.d/x.conf": "[Install]\nWantedBy=multi-user.target\n"},
    ),
    "instance": ("g@tty1.service", {f"{LIB}/g@.service": INSTALL, f"{WANTED}/g@tty1.service": Link(f"{LIB}/g@.service")}),
    "instance that is not": (
        "g@tty2.service",
        {f"{LIB}/g@.service": INSTALL, f"{WANTED}/g@tty1.service": Link(f"{LIB}/g@.service")},
    ),
    "instance by the vendor": (
        "g@tty1.service",
        {f"{LIB}/g@.service": PLAIN, f"{LIB}/t.target.wants/g@tty1.service": Link("../g@.service")},
    ),
    "required": (
        "a.timer",
        {f"{LIB}/a.timer": "[Install]\nRequiredBy=x.target\n", f"{ETC}/x.target.requires/a.timer": Link(f"{LIB}/a.timer")},
    ),
    "own unit in /etc": ("a.service", {f"{ETC}/a.service": INSTALL}),
    "dangling": ("a.service", {f"{ETC}/a.service": Link("/opt/gone.service")}),
    "absent": ("a.service", {}),
    "a dangling wants link of an absent unit": ("a.service", {f"{ETC}/multi-user.target.wants/a.service": Link(f"{LIB}/a.service")}),
}


def ours(files: Files, name: str) -> UnitState:
    return unit_state(memory_guest(files), fact(UnitFiles, files), fact(Services, files), name)


def systemctl(folder: Path, files: Files, name: str) -> str:
    """The word that systemctl prints, ``not-found`` where it prints none."""
    for path, content in files.items():
        target = folder / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, Link):
            target.symlink_to(content.target)
        else:
            target.write_bytes(content.encode() if isinstance(content, str) else content)
    done = subprocess.run(["systemctl", f"--root={folder}", "is-enabled", name], capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not-found"


needs_systemctl = pytest.mark.skipif(not shutil.which("systemctl"), reason="no systemctl")


@needs_systemctl
@pytest.mark.parametrize("which", GUESTS)
def test_states_are_those_of_systemctl(which: str, tmp_path: Path) -> None:
    name, more = GUESTS[which]
    files = {**BASE, **more}
    assert ours(files, name).state == systemctl(tmp_path, files, name)


def arrangements(count: int) -> Iterator[dict[str, str | bytes | Link]]:
    """Units, aliases, masks and links thrown together."""
    roll = random.Random(19)
    for _ in range(count):
        files: dict[str, str | bytes | Link] = dict(BASE)
        extra = roll.choice(["", "Alias=b.service\n", "Also=c.service\n", "Alias=b.service d.service\n"])
        files[f"{roll.choice([LIB, ETC])}/a.service"] = roll.choice([INSTALL + extra, PLAIN, f"{PLAIN}[Install]\n{extra}"])
        for folder in (f"{ETC}/x.target.wants", f"{LIB}/x.target.wants", f"{ETC}/y.target.requires"):
            if roll.random() < 0.3:
                files[f"{folder}/a.service"] = Link(f"{LIB}/a.service")
        for alias in "bd":
            if roll.random() < 0.3:
                files[f"{roll.choice([ETC, LIB])}/{alias}.service"] = Link(roll.choice([f"{LIB}/a.service", "a.service"]))
        if roll.random() < 0.2:
            files[f"{ETC}/a.service"] = Link("/dev/null")
        yield files


@needs_systemctl
def test_thrown_together_they_agree_too(tmp_path: Path) -> None:
    wrong = []
    for number, files in enumerate(arrangements(60)):
        for name in ("a.service", "b.service"):
            found = ours(files, name).state
            folder = tmp_path / f"{number}{name}"
            if found != (expected := systemctl(folder, files, name)):
                wrong.append((number, name, found, expected, sorted(files.items())[2:]))
    assert not wrong


PRESET = "/usr/lib/systemd/system-preset/90-x.preset"


@pytest.mark.parametrize("machine_id", [None, "uninitialized\n"])
@pytest.mark.parametrize(("preset", "state"), [("enable a.*\n", "enabled"), ("disable *\n", "disabled"), ("enable b.service\n", "enabled")])
def test_presets_count_at_a_first_boot(machine_id: str | None, preset: str, state: str) -> None:
    files = {**BASE, f"{LIB}/a.service": INSTALL, PRESET: preset}
    assert ours(files, "a").state == "disabled"
    first = {path: content for path, content in files.items() if path != "/etc/machine-id"}
    first |= {"/etc/machine-id": machine_id} if machine_id else {}
    assert ours(first, "a").state == state


def test_a_preset_that_may_disable_is_not_told() -> None:
    _, enabled = GUESTS["enabled"]
    files = {**BASE, **enabled, "/etc/machine-id": "uninitialized\n", PRESET: "disable *\n"}
    with pytest.raises(FactUnavailable, match="first boot"):
        ours(files, "a.service")


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"/sbin/init": "", "/etc/rc3.d/S10web": Link("../init.d/web"), "/etc/init.d/web": ""}, "enabled"),
        ({"/sbin/init": "", "/etc/rc3.d/K10web": Link("../init.d/web"), "/etc/init.d/web": ""}, "disabled"),
        ({"/sbin/openrc": "", "/etc/runlevels/default/web": Link("/etc/init.d/web"), "/etc/init.d/web": ""}, "enabled"),
        ({"/sbin/openrc": "", "/etc/init.d/web": ""}, "disabled"),
        ({"/sbin/openrc": ""}, "not-found"),
        ({"/sbin/initctl": "", "/etc/init/web.conf": "start on x\n"}, "enabled"),
        ({"/sbin/initctl": "", "/etc/init/web.conf": "x\n", "/etc/init/web.override": "manual\n"}, "disabled"),
        ({**BASE, "/etc/init.d/web": "", "/etc/rc3.d/S10web": Link("../init.d/web")}, "enabled"),
        ({**BASE, "/etc/init.d/web": ""}, "disabled"),
    ],
)
def test_other_inits(files: Files, state: str) -> None:
    assert ours(files, "web").state == state


def test_without_an_init_program_nothing_is_told() -> None:
    with pytest.raises(FactUnavailable):
        ours({"/etc/init.d/web": ""}, "web")
