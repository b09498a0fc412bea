"""Random combinations of fstab, units, drop-ins, masks and command lines; a number makes the same one again."""

from __future__ import annotations

import graphlib
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.facts.guests import fact
from tests.facts.systemd.nspawn import MASKED, Cell
from v2vlint.facts.boot.boot_end import BootEnd
from v2vlint.facts.storage.fstab import Fstab
from v2vlint.facts.storage.mount_policy import MountPolicy
from v2vlint.facts.systemd.goal import BootGoal
from v2vlint.facts.systemd.mount_graph import MountGraph
from v2vlint.facts.systemd.mount_units import LOCAL, REMOTE, MountUnit, MountUnits
from v2vlint.facts.systemd.unit_files import UnitFiles, unit_name
from v2vlint.facts.systemd.unstartable import unstartable
from v2vlint.model.rule import Link

GONE = "UUID=0dead000-0000-4000-8000-000000000000"
MAPPED, LABEL = "/dev/mapper/c1", "LABEL=gone"
_LOST = (GONE, MAPPED, LABEL, "/dev/gone")
_LOST_PATHS = ("/dev/gone", f"/dev/disk/by-uuid/{GONE.removeprefix('UUID=')}")
WIDE, RICH = 2000, 3000
BASIC_TARGET = "/usr/lib/systemd/system/basic.target"
# What Debian's own has: it requires the mount of /var. tests/facts/systemd/test_nspawn.py compares.
_VENDOR = "/usr/lib/systemd/system"
# Targets that Debian has, so that one that is not there is told from one that this little guest lacks.
_GENERATORS: dict[str, str | Link] = {
    f"/usr/lib/systemd/system-generators/systemd-{name}-generator": "x" for name in ("debug", "fstab", "getty", "sysv")
}
_TARGETS: dict[str, str | Link] = {
    "/sbin/init": Link("/lib/systemd/systemd"),
    "/lib/systemd/systemd": "",
    "/bin/sh": "",
    f"{_VENDOR}/default.target": Link("graphical.target"),
    **{f"{_VENDOR}/{name}.target": "[Unit]\n" for name in ("emergency", "remote-fs")},
    f"{_VENDOR}/sysinit.target": "[Unit]\nWants=local-fs.target swap.target\n",
    f"{_VENDOR}/rescue.target": "[Unit]\nRequires=sysinit.target\n",
    f"{_VENDOR}/graphical.target": "[Unit]\nRequires=multi-user.target\n",
    f"{_VENDOR}/multi-user.target": "[Unit]\nRequires=basic.target\n",
    "/etc/systemd/system/multi-user.target.wants/remote-fs.target": Link("/usr/lib/systemd/system/remote-fs.target"),
}
BASIC = "[Unit]\nRequires=sysinit.target\nAfter=sysinit.target\nRequiresMountsFor=/var /var/tmp\n"
_ETC = "/etc/systemd/system"
_MORE = ("Requires=srv.mount\nAfter=srv.mount", "RequiresMountsFor=/opt/x", "Requires=dev-gone.device\nAfter=dev-gone.device")


@dataclass(frozen=True, slots=True)
class Stock:
    """What is drawn from."""

    points: tuple[str, ...]
    options: tuple[str, ...]
    words: tuple[str, ...]
    kinds: tuple[str, ...]


_FIRST = Stock(
    ("/data", "/data/in", "/data/in/deep", "/srv", "/srv/a-b", "/opt/x"),
    (
        "nofail", "noauto", "auto", "_netdev", "x-systemd.wanted-by=multi-user.target", "x-systemd.required-by=local-fs.target",
        "x-systemd.required-by=multi-user.target", "x-systemd.requires=/srv", "x-systemd.requires-mounts-for=/data/in/deep",
        "x-systemd.requires=dev-gone.device", "x-systemd.wanted-by=local-fs.target", "ro",
    ),
    ("", "", "", "", "fstab=no", "fstab=0", "rd.fstab=no", "systemd.mask=data.mount", "systemd.unit=rescue.target", "3", "single"),
    ("gone", "gone", "tmpfs", "tmpfs", "bind", "device"),
)  # fmt: skip
_WIDE = Stock(
    (*_FIRST.points, "/data", "/var", "/var/log", "/home", "/mnt"),
    (
        *_FIRST.options, "nofail", "x-initrd.mount", "x-mount.mkdir", "user,noexec", "x-systemd.after=/srv", "x-systemd.before=/opt/x",
        "x-systemd.device-timeout=1s", "x-systemd.mount-timeout=1s", "x-systemd.requires=opt-x.mount", "nofail,noauto", "noauto,nofail",
        "x-systemd.requires-mounts-for=/opt/x", "x-systemd.wanted-by=basic.target",
    ),
    (
        *_FIRST.words, "", "", "emergency", "rescue", "S", "5", "systemd.unit=multi-user.target", "systemd.unit=emergency.target",
        "systemd.wants=srv.mount", "rd.systemd.unit=rescue.target", "systemd.mask=local-fs.target", "systemd.mask=srv.mount",
        "luks=no", "systemd.mask=data", "fstab=off",
    ),
    (*_FIRST.kinds, "swap", "mapper", "mapper", "label"),
)  # fmt: skip


def drawn(number: int) -> Cell:
    """The combination with this number; from 2000 on there is more to draw from, from 3000 on also services, aliases and wide drop-ins."""
    rng, stock = random.Random(number), _FIRST if number < WIDE else _WIDE
    lines = [_line(rng, stock) for _ in range(rng.randint(1, 4))]
    files: dict[str, str | Link] = {}
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        files |= _unit(rng, stock)
    for _ in range(rng.choice((1, 1, 2, 3)) if number >= RICH else 0):
        files |= _rich(rng, stock)
    if any("/dev/mapper/" in line for line in lines):
        files["/etc/crypttab"] = f"c1 {GONE} none {rng.choice(('luks', 'luks,nofail', 'luks,noauto', 'plain,_netdev'))}\n"
    return Cell("".join(lines), files, rng.choice(stock.words))


def _line(rng: random.Random, stock: Stock) -> str:
    point = rng.choice(stock.points)
    options = ",".join(rng.sample(stock.options, rng.choice((0, 0, 1, 1, 2)))) or "defaults"
    kind = rng.choice(stock.kinds)
    if kind == "bind":
        source = rng.choice([other for other in stock.points if not other.startswith(point)])  # a mount of what is below itself is a cycle
        return f"{source}/sub {point} none bind,{options} 0 0\n"
    if kind == "swap":
        return f"{GONE} none swap {options} 0 0\n"
    sources = {"gone": f"{GONE} {point} ext4", "device": f"/dev/gone {point} ext4", "tmpfs": f"tmpfs {point} tmpfs"}
    what = {**sources, "mapper": f"{MAPPED} {point} ext4", "label": f"{LABEL} {point} ext4"}[kind]
    return f"{what} {options} 0 {0 if kind == 'tmpfs' else rng.choice((0, 2))}\n"


def _unit(rng: random.Random, stock: Stock) -> dict[str, str | Link]:
    point = rng.choice(stock.points)
    name = unit_name(point, ".mount")
    what = rng.choice(("What=/dev/gone\nType=ext4", "What=tmpfs\nType=tmpfs"))
    body = f"[Mount]\n{what}\nWhere={point}\n"
    target = rng.choice(("local-fs", "local-fs", "sysinit", "basic", "multi-user", "remote-fs"))
    linked: dict[str, str | Link] = {f"{_ETC}/{target}.target.{rng.choice(('wants', 'requires'))}/{name}": Link(f"{_ETC}/{name}")}
    kinds: tuple[dict[str, str | Link], ...] = (
        {f"{_ETC}/{name}": MASKED},
        {f"{_ETC}/{name}": body},
        {f"/usr/lib/systemd/system/{name}": body},
        {f"{_ETC}/{name}": body, **linked},
        {f"{_ETC}/{name}": body, **linked},
        linked if target not in ("sysinit", "basic") else {},
        {f"{_ETC}/{name}.d/more.conf": f"[Unit]\n{rng.choice(_MORE)}\n"},
        {f"{_ETC}/{target}.target.d/more.conf": f"[Unit]\n{rng.choice(('Requires', 'Wants', 'BindsTo'))}={name}\n"}
        if target not in ("sysinit", "basic")
        else {},
        {f"{_ETC}/{name}.d/other.conf": "[Unit]\nOnFailure=emergency.target\n"},
    )
    return rng.choice(kinds)


def _rich(rng: random.Random, stock: Stock) -> dict[str, str | Link]:
    """A service or a template, an alias with a folder of its own, a drop-in for many units, a target that cannot be loaded."""
    point, number = rng.choice(stock.points), rng.choice("ab")
    mount = unit_name(point, ".mount")
    target = rng.choice(("local-fs", "sysinit", "basic", "multi-user", "multi-user", "remote-fs"))
    name, kind = rng.choice((f"{number}.service", f"{number}@x.service")), rng.choice(("wants", "requires", "upholds"))
    needs = rng.choice((f"Requires={mount}\nAfter={mount}\n", f"RequiresMountsFor={point}\n", f"BindsTo={mount}\n", f"Wants={mount}\n", ""))
    fails = rng.choice(
        ("", "", "OnFailure=emergency.target\n", "OnFailure=rescue.target\nOnFailureJobMode=isolate\n", "OnFailure=c.service\n")
    )
    before = f"DefaultDependencies=no\nConflicts=shutdown.target\nBefore={target}.target\n"
    service = f"[Unit]\n{before}{needs}{fails}[Service]\nType=oneshot\nExecStart=/bin/true\n"
    more = {"[Unit]": rng.choice(_MORE), "[Mount]": rng.choice(("Options=ro", "TimeoutSec=1"))}
    section = rng.choice(tuple(more))
    owner = rng.choice(("mount", f"{point.strip('/').partition('/')[0]}-.mount", mount, "target"))
    pulled: dict[str, str | Link] = {
        f"{_ETC}/{name.replace('@x', '@')}": service,
        f"{_ETC}/{target}.target.{kind}/{name}": Link(f"../{name.replace('@x', '@')}"),
    }
    kinds: tuple[dict[str, str | Link], ...] = (
        pulled, pulled, pulled,
        {f"{_ETC}/other.target": Link(f"{_VENDOR}/{target}.target"), f"{_ETC}/other.target.{kind}/{mount}": Link(f"../{mount}")},
        {f"{_ETC}/other.target": Link(f"{_VENDOR}/{target}.target"), f"{_ETC}/other.target.d/own.conf": f"[Unit]\nRequires={mount}\n"},
        {f"{_ETC}/{owner}.d/{rng.choice(('more', 'own'))}.conf": f"{section}\n{more[section]}\n"} if owner != "target" else {},
        {f"{_VENDOR}/{owner}.d/more.conf": f"[Unit]\n{rng.choice(_MORE)}\n"} if owner != "target" else {},
        {f"{_ETC}/{owner}.d/more.conf": rng.choice(("", MASKED))},
        {f"{_ETC}/multi-user.target.{kind}/gone.service": rng.choice((Link("../gone.service"), "a file", MASKED))},
        {f"{_ETC}/{target}.target.d/gone.conf": f"[Unit]\n{rng.choice(('Requires', 'Wants', 'BindsTo', 'PartOf'))}=gone.service\n"},
        {f"{_ETC}/{rng.choice(('multi-user', 'basic', 'graphical', 'sysinit', 'remote-fs', 'swap'))}.target": MASKED},
        {f"{_ETC}/default.target": rng.choice((Link(f"{_VENDOR}/multi-user.target"), Link("other.target"), Link("/gone.target"), MASKED))},
    )  # fmt: skip
    return rng.choice(kinds)


def is_broken(cell: Cell) -> bool:
    """Whether what systemd drops differs from boot to boot: it comes to what cannot be loaded before or after the other requirements of
    a target or mount (a hash decides), two units wait for each other, as local mounts below a remote one do, or a local and a network
    mount lose one device at once.
    """
    files = _files(cell)
    units, graph, goal = fact(MountUnits, files), fact(MountGraph, files), fact(BootGoal, files)
    early_network = any(REMOTE in units.units[lower].before for lower in graph.needed if lower in units.units)
    tops = (LOCAL, REMOTE, *graph.asked)
    found = any(unstartable(fact(UnitFiles, files), units, replace(goal, target=top)) for top in tops)
    mounts = {name for unit in units.units.values() for name in unit.requires if name.endswith(".mount")}
    entries = fact(Fstab, files).entries
    mounts |= {unit_name(entry.place, ".mount") for entry in entries if not entry.is_swap}
    found |= bool({one.device for one in entries if one.is_network} & {one.device for one in entries if not one.is_network} & {*_LOST})
    return found or bool(mounts - set(units.units)) or early_network or _has_cycle(units.units)


def may_differ(cell: Cell, told: str, seen: str) -> bool:
    """Whether a broken cell may end otherwise at another boot. What freezes is told to stop in some way, and nothing else is told to."""
    stops = (told, seen) == ("emergency", "frozen")
    return is_broken(cell) and (stops or (seen != "emergency" and "frozen" not in (told, seen)))


def _has_cycle(units: Mapping[str, MountUnit]) -> bool:
    points = {name: unit.entry.mount_point for name, unit in units.items() if unit.entry}
    below = {
        name: {other for other, point in points.items() for path in unit.paths if other != name and f"{path}/".startswith(f"{point}/")}
        | ({one for one in unit.requires if one in units})
        for name, unit in units.items()
    }
    try:
        graphlib.TopologicalSorter(below).prepare()
    except graphlib.CycleError:
        return True
    return False


def forecast(cell: Cell) -> str:
    """What v2vlint says becomes of it, in the oracle's words."""
    files = _files(cell)
    if fact(BootEnd, files).shell:
        return "frozen"
    policy, graph = fact(MountPolicy, files), fact(MountGraph, files)
    gone = [entry for entry in policy.entries if entry.device in _LOST]
    lost = [entry for entry in (*gone, *(entry for entry, device in policy.devices if device in _LOST_PATHS)) if policy.stops(entry)]
    ends = {graph.end(name) for name in graph.refused}
    if not lost and not ends:
        return "up" if fact(BootGoal, files).target != "emergency.target" else "emergency"
    ends |= {graph.end(entry.unit or unit_name(entry.place, ".mount")) for entry in lost}
    return "emergency" if "emergency" in ends else "nothing"


def _files(cell: Cell) -> dict[str, str | Link]:
    menu = f"menuentry a {{\n linux /vmlinuz root=/dev/sda1 {cell.cmdline}\n}}\n"
    generators = {} if any("/system-generators/" in path for path in cell.files) else _GENERATORS
    return {BASIC_TARGET: BASIC, **_TARGETS, **generators, "/etc/fstab": cell.fstab, **cell.files, "/boot/grub/grub.cfg": menu}
