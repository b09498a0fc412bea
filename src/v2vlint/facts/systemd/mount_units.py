"""The mount units of a boot: those that systemd-fstab-generator makes from fstab, and native ones, with the requirements of each.

Precedence follows systemd.unit(5): /etc, then the generator, then the vendor's folders. The generator's rules follow its output (systemd
252), and tests/facts/systemd/test_nspawn.py compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from v2vlint.facts.registry import provides
from v2vlint.facts.storage.fstab import Fstab, FstabEntry
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.facts.systemd.goal import BootGoal
from v2vlint.facts.systemd.specifiers import expanded, path_of, units_named, words
from v2vlint.facts.systemd.unit_files import ADMIN, UnitFiles, unit_name
from v2vlint.facts.systemd.unit_names import KINDS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Token

_GENERATOR = "systemd-fstab-generator"
LOCAL, REMOTE, SWAP = "local-fs.target", "remote-fs.target", "swap.target"
# mount_point_is_api() and mount_point_ignore() of systemd's mount-setup.c: the generator passes over these.
_API = frozenset({
    "/proc", "/sys", "/dev", "/sys/kernel/security", "/sys/fs/smackfs", "/dev/shm", "/dev/pts", "/run", "/sys/fs/cgroup", "/sys/fs/pstore",
    "/sys/firmware/efi/efivars", "/sys/fs/bpf", "/sys/fs/selinux", "/proc/bus/usb", "/dev/console",
})  # fmt: skip
_EARLY = ("/proc", "/sys", "/dev", "/run", "/usr", "/etc", "/nix", "/sysroot", "/media", "/cdrom")
"""What is mounted before there are units: the last are those of NixOS, ostree, overlayroot and casper."""
_BY_TYPE, _BY_TYPE_GENERATOR = ("/home", "/srv", "/var", "/var/tmp", "/boot", "/efi"), "systemd-gpt-auto-generator"
_KEYS = {
    "requires": ("Requires", "BindsTo", "Requisite", "RequiresOverridable", "BindTo"), "pulls": ("Requires", "BindsTo"),
    "after": ("After",), "before": ("Before",), "on_failure": ("OnFailure",),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class MountUnit:
    """One mount or automount unit. ``entry`` describes the mount in fstab's form; None for an automount point.

    ``requires`` are units without which it fails: those that it requires *and* is ordered after. ``paths`` are the paths whose mounts it
    requires (RequiresMountsFor=, implied ones included). ``pulls`` are units that are started with it. ``required_by`` and ``wanted_by``
    are the units that pull it in, ``before`` those that wait for it.
    """

    name: str
    entry: FstabEntry | None
    requires: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    wanted_by: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    on_failure: tuple[str, ...] = ()
    pulls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MountUnits:
    """Every unit by name; ``ignored`` are lines of fstab that produce no unit: the second one for a mount point, the kernel's own
    mounts.
    """

    units: dict[str, MountUnit]
    ignored: tuple[FstabEntry, ...] = ()

    def covering(self, path: str) -> Iterator[str]:
        """The mount units at ``path`` and above it."""
        parts = [part for part in path.split("/") if part]
        names = (unit_name("/".join(parts[:count]), ".mount") for count in range(len(parts) + 1))
        yield from (name for name in names if name in self.units)

    def is_early(self, name: str, files: UnitFiles) -> bool:
        """Whether ``name`` may be a mount that nobody has written down: the kernel's and systemd's own, an initramfs', or that of a
        partition found by its type.
        """
        stem, _, kind = name.rpartition(".")
        place = path_of(stem)
        if kind != "mount" or place in _API:  # the last are left out of the units altogether (mount_setup_unit() of mount.c)
            return False
        if place == "/" or any(f"{place}/".startswith(f"{top}/") for top in _EARLY):
            return True
        left = (entry for entry in self.ignored if "x-initrd.mount" in entry.options)
        return (place in _BY_TYPE and files.generates(_BY_TYPE_GENERATOR)) or any(entry.place == place for entry in left)


@provides
def find_mount_units(fstab: Fstab, files: UnitFiles, goal: BootGoal) -> MountUnits:
    """Generated units and native ones, without masked ones, which nothing can start."""
    reads = goal.reads_fstab and files.generates(_GENERATOR)
    generated: dict[str, MountUnit] = {}
    ignored: list[FstabEntry] = []
    for entry in sorted((*fstab.entries, *fstab.short), key=lambda entry: entry.where.start):
        made = _generated(entry) if reads and _is_point(entry.place) else ()
        # Of several lines for one place, the first wins: the generator does not overwrite a unit.
        if not made or made[0].name in generated:
            ignored.append(entry)
        else:
            generated |= {unit.name: unit for unit in made}
    units: dict[str, MountUnit] = {}
    for name in sorted({*generated, *files.named(".mount"), *files.named(".automount")}):
        unit = _winner(files, name, generated.get(name))
        if unit is not None and name not in goal.masked:
            units[name] = unit
        if name in generated and (unit is None or unit.entry is not generated[name].entry) and (lost := generated[name].entry):
            ignored.append(lost)
    return MountUnits(units, tuple(ignored))


def _is_point(path: str) -> bool:
    """Whether the generator makes a unit for ``path``: there is no name for one with ``..`` in it that leads nowhere yet."""
    return path.startswith("/") and path not in _API and ".." not in path.split("/")


def _winner(files: UnitFiles, name: str, generated: MountUnit | None) -> MountUnit | None:
    path = files.path(name)
    if generated is not None and (path is None or path.rpartition("/")[0] not in ADMIN):
        return _changed(generated, files.changes(name))
    native = None if files.is_masked(name) else files.own(name)
    if native is None:
        return None
    made = _native(native)
    if made.entry is not None and unit_name(made.entry.mount_point, ".mount") != name:
        return None  # mount_verify(): "Where= setting doesn't match unit name. Refusing."
    asked = generated or MountUnit(name, None)
    return replace(made, required_by=asked.required_by, wanted_by=asked.wanted_by)


def _generated(entry: FstabEntry) -> tuple[MountUnit, ...]:
    """The units for one line of fstab: the mount, and its automount point if requested."""
    options = entry.options
    name, home = unit_name(entry.place, ".mount"), REMOTE if entry.is_network else LOCAL
    wanted, required = (tuple(_values(options, f"x-systemd.{key}-by")) for key in ("wanted", "required"))
    requires = tuple(_mangled(value) for value in _values(options, "x-systemd.requires"))
    paths = (*_parents(entry.place), *_source(entry), *_values(options, "x-systemd.requires-mounts-for"))
    before = (*_default_order(entry), *map(_mangled, _values(options, "x-systemd.before")))
    mount = MountUnit(name, entry, requires, paths, required, wanted, before, pulls=requires)
    if _flag(options, "x-systemd.automount", "comment=systemd.automount"):
        point = MountUnit(unit_name(entry.place, ".automount"), None, (), _parents(entry.place), before=(LOCAL,))
        return replace(mount, required_by=(), wanted_by=()), _asked(point, home, entry.nofail)
    if not (wanted or required or entry.noauto):
        mount = _asked(mount, home, entry.nofail and entry.mount_point != "/")
    return (mount,)


def _asked(unit: MountUnit, home: str, optional: bool) -> MountUnit:
    return replace(unit, wanted_by=(home,)) if optional else replace(unit, required_by=(home,))


def _changed(unit: MountUnit, changes: Unit) -> MountUnit:
    """A generated unit with the administrator's drop-ins applied."""
    stated, entry = _stated(changes), unit.entry
    checked: tuple[str, ...] = ()
    if entry is not None and (what := _value(changes, "Mount", "What")) is not None:
        # The generator's requirement of the check on the first device stays.
        checked = (unit_name(_node(entry.device), ".device"),) if entry.passno and entry.mount_point != "/" else ()
        entry = replace(entry, spec=what, fs_type=str(changes.get("Mount", "Type") or entry.fs_type), unit=unit.name)
    before = (*unit.before, *stated.before)
    return replace(
        unit, entry=entry, requires=(*unit.requires, *checked, *stated.requires), paths=(*unit.paths, *stated.paths), before=before,
        on_failure=stated.on_failure, pulls=(*unit.pulls, *stated.pulls),
    )  # fmt: skip


def _native(unit: Unit) -> MountUnit:
    stated = _stated(unit)
    what, where = _value(unit, "Mount", "What"), _where(unit)
    usual = unit.boolean("Unit", "DefaultDependencies") is not False
    if what is None:
        before = (*stated.before, *((LOCAL,) if usual else ()))
        return replace(stated, paths=(*_parents(where), *stated.paths), before=before)
    options = tuple(option for token in unit.ini.all("Mount", "Options") for option in token.value.split(","))
    entry = FstabEntry(what, where, str(unit.get("Mount", "Type") or "auto"), options, what.where, unit=unit.name)
    paths = (*_parents(entry.mount_point), *_source(entry), *stated.paths)
    return replace(stated, entry=entry, paths=paths, before=(*stated.before, *(_default_order(entry) if usual else ())))


def _where(unit: Unit) -> str:
    """The mount point: without Where=, the one that the name stands for (mount_add_extras() and automount_add_extras()). A relative one or
    one with ``..`` is passed over (config_parse_unit_path_printf()).
    """
    values = [expanded(text, unit.name, unit.host) for kind in ("Automount", "Mount") for text in unit.stated(kind, "Where")]
    paths = [value for value in values if not value or (value.startswith("/") and ".." not in value.split("/"))]
    return (paths[-1] if paths else "") or path_of(unit.name.rpartition(".")[0])


def _value(unit: Unit, section: str, key: str) -> Token | None:
    """A setting as it applies to the unit, at its place; None if it is not set or its specifiers are unknown."""
    found = unit.get(section, key)
    value = expanded(found.value, unit.name, unit.host) if found else None
    return Token(value, found.where) if found and value is not None else None


def _default_order(entry: FstabEntry) -> tuple[str, ...]:
    """mount_add_default_dependencies(): nothing waits for a mount with ``nofail``."""
    return () if entry.nofail and entry.mount_point != "/" else (REMOTE if entry.is_network else LOCAL,)


def _stated(unit: Unit) -> MountUnit:
    """The relations stated in a unit. A requirement without After= cannot stop it: it has already started when that unit fails."""
    said, paths = {key: units_named(unit, *keys) for key, keys in _KEYS.items()}, words(unit, "Unit", "RequiresMountsFor")
    requires = tuple(name for name in said["requires"] if name in said["after"])
    return MountUnit(unit.name, None, requires, paths, before=said["before"], on_failure=said["on_failure"], pulls=said["pulls"])


def _parents(path: str) -> tuple[str, ...]:
    """The parent folder of the mount point: mounts above it are required, mounts on the point itself are not."""
    return (path.rstrip("/").rpartition("/")[0] or "/",) if path != "/" else ()


def _source(entry: FstabEntry) -> tuple[str, ...]:
    """The source path of a bind or loop mount."""
    path = entry.device
    return (path,) if path.startswith("/") and not path.startswith("/dev/") and not entry.is_network else ()


def _flag(options: tuple[str, ...], *names: str) -> bool:
    return any(option in names for option in options)


def _values(options: tuple[str, ...], name: str) -> Iterator[str]:
    yield from (option.partition("=")[2] for option in options if option.startswith(f"{name}="))


def _mangled(name: str) -> str:
    """A unit given by name or path: unit_name_mangle_with_suffix() converts a path to a unit name, and adds .mount to a bare word."""
    if name.startswith("/"):
        return unit_name(name, ".device" if name.startswith(("/dev/", "/sys/")) else ".mount")
    return name if name.rpartition(".")[2] in KINDS and "." in name else f"{name}.mount"


def _node(device: str) -> str:
    """The path of a device named in fstab: fstab_node_to_udev_node()."""
    tag, equals, value = device.partition("=")
    return f"/dev/disk/by-{tag.lower()}/{value}" if equals and not tag.startswith("/") else device


def device_of(unit: str) -> str:
    r"""The path of a device unit: ``dev-disk-by\x2duuid-1.device`` is ``/dev/disk/by-uuid/1``; empty for other units."""
    if not unit.endswith(".device"):
        return ""
    return path_of(unit.removesuffix(".device"))
