"""The guest's initramfs generators: which are installed, and what their next image will contain."""

from __future__ import annotations

from collections.abc import Callable

from v2vlint.facts.initramfs.arch import PROGRAMS as ARCH_PROGRAMS
from v2vlint.facts.initramfs.arch import booster, mkinitcpio
from v2vlint.facts.initramfs.dracut import PROGRAMS as DRACUT_PROGRAMS
from v2vlint.facts.initramfs.dracut import dracut
from v2vlint.facts.initramfs.generator import GeneratorConfig, HostOnly
from v2vlint.facts.initramfs.initramfs_tools import PROGRAMS as DEBIAN_PROGRAMS
from v2vlint.facts.initramfs.initramfs_tools import initramfs_tools
from v2vlint.facts.registry import provides
from v2vlint.facts.syntax.conf_vars import conf_vars
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable

SUSE = "/etc/sysconfig/kernel"
_OTHERS = {
    "make-initrd": ("/usr/sbin/make-initrd",),
    "mkinitfs": ("/sbin/mkinitfs", "/usr/sbin/mkinitfs"),
    "genkernel": ("/usr/bin/genkernel",),
    "ugrd": ("/usr/bin/ugrd",),
}


@dataclass(frozen=True, slots=True)
class InitramfsConfig:
    """The configuration of every known generator, installed or not; installed ones come first."""

    generators: tuple[GeneratorConfig, ...] = ()

    def of(self, name: str) -> GeneratorConfig | None:
        """The configuration of the generator called ``name`` (as in ``Initramfs.generator``)."""
        return next((generator for generator in self.generators if generator.name == name), None)

    @property
    def installed(self) -> tuple[GeneratorConfig, ...]:
        """The installed generators, the one in use first."""
        return tuple(generator for generator in self.generators if generator.installed)

    def for_image(self, generator: str) -> GeneratorConfig | None:
        """The generator that will rebuild the image: the one that built it if still installed, else the first installed one."""
        made = self.of(generator)
        if made is not None and made.installed:
            return made
        return next(iter(self.installed), made)


@provides
def parse_initramfs_config(fs: GuestFS) -> InitramfsConfig:
    """Read the configuration of all generators. Missing files count as empty."""
    found = [_told(fs, *one) for one in _READ] + [booster(fs)]
    found += [GeneratorConfig(name, any(fs.exists(path) for path in paths)) for name, paths in _OTHERS.items()]
    # A stable sort: of several installed ones, the order above decides.
    return InitramfsConfig(tuple(sorted(found, key=lambda generator: not generator.installed)))


def _told(fs: GuestFS, name: str, read: Callable[[GuestFS], GeneratorConfig], programs: tuple[str, ...]) -> GeneratorConfig:
    """The configuration of a generator. One that is not installed may be beyond understanding."""
    try:
        return read(fs)
    except FactUnavailable:
        if any(fs.exists(path) for path in programs):
            raise
        return GeneratorConfig(name)


def _mkinitrd(fs: GuestFS) -> GeneratorConfig:
    """mkinitrd of SUSE up to 11 (``INITRD_MODULES`` in /etc/sysconfig/kernel) or of Red Hat up to 5 (aliases in modprobe.conf)."""
    suse = fs.is_dir("/lib/mkinitrd")
    settings = conf_vars((fs.text(SUSE),))
    listed = settings.assignment("INITRD_MODULES")
    names = listed.words if listed else ()
    return GeneratorConfig(
        "suse-mkinitrd" if suse else "mkinitrd",
        installed=fs.exists("/sbin/mkinitrd") and not _is_dracut(fs),
        host_only=HostOnly("INITRD_MODULES", listed.where) if suse and listed else None,
        added=names,
        forced=names,
        insertion=listed.insertion() if suse and listed else None,
        files=settings.files,
    )


_READ: tuple[tuple[str, Callable[[GuestFS], GeneratorConfig], tuple[str, ...]], ...] = (
    ("initramfs-tools", initramfs_tools, DEBIAN_PROGRAMS),
    ("dracut", dracut, DRACUT_PROGRAMS),
    ("mkinitcpio", mkinitcpio, ARCH_PROGRAMS),
    ("mkinitrd", _mkinitrd, ("/sbin/mkinitrd",)),
)


def _is_dracut(fs: GuestFS) -> bool:
    """dracut installs its own mkinitrd, a wrapper."""
    return fs.exists("/usr/bin/dracut") or fs.exists("/sbin/dracut")
