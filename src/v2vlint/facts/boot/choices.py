"""What the guest can start: the loader's entries joined with the installed kernels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.cmdline import KernelArg, kernel_args
from v2vlint.facts.boot.entry import BootEntry
from v2vlint.facts.kernel.kernels import Kernel, Kernels
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass
from v2vlint.model.place import Where, WholeFile


@dataclass(frozen=True)
class BootChoice:
    """Something that can be started.

    ``kernel`` is None when the file ``kernel_path`` does not exist. ``initrds`` are the paths that the loader loads, which may not exist.
    ``where`` is the place that names it: the loader's entry, or the kernel's file when there is no loader configuration. ``unreadable``
    says why missing files may exist after all: the filesystem of /boot could not be opened.
    """

    title: str
    kernel_path: str
    kernel: Kernel | None
    initrds: tuple[str, ...]
    where: Where
    args: tuple[KernelArg, ...] = ()
    rescue: bool = False
    unreadable: str = ""
    entry: BootEntry | None = None

    @property
    def version(self) -> str:
        """The kernel's version; empty when it is not known."""
        return self.kernel.version if self.kernel else self.entry.version if self.entry else ""

    @property
    def kernel_args(self) -> tuple[KernelArg, ...]:
        """The arguments that the kernel itself reads."""
        return kernel_args(self.args, self.version)

    @property
    def initrd_where(self) -> WholeFile | None:
        """The place of the initramfs proper: the last file loaded, after microcode."""
        return WholeFile(self.initrds[-1]) if self.initrds else None

    @property
    def goes_on(self) -> bool:
        """Whether the loader starts the kernel without any initramfs when one of them is missing."""
        return self.entry is not None and self.entry.goes_on

    def values(self, *names: str) -> tuple[tuple[str, KernelArg], ...]:
        """The comma-separated values of the kernel arguments called any of ``names``, with their argument."""
        return tuple((value, arg) for arg in self.args if arg.name in names and arg.value for value in arg.value.split(",") if value)


@dataclass(frozen=True)
class BootChoices:
    """``defaults`` boot unattended: one, or one for each firmware that may start the guest. ``others`` must be chosen; rescue entries come
    last.

    ``assumed`` says that no configuration determines the default, so that the first candidate stands for it; ``reason`` explains.
    """

    defaults: tuple[BootChoice, ...] = ()
    others: tuple[BootChoice, ...] = ()
    assumed: bool = False
    reason: str = ""

    @property
    def default(self) -> BootChoice | None:
        """The likeliest default."""
        return self.defaults[0] if self.defaults else None


@provides
def find_boot_choices(fs: GuestFS, bootloader: Bootloader, kernels: Kernels) -> BootChoices:
    """Join the live loader's entries with the kernels; without a loader, the newest kernel is assumed to be started."""
    entries = [entry for entry in bootloader.all_entries if entry.kernel]
    if not entries:
        choices = tuple(_by_convention(fs, kernels))
        return BootChoices(choices[:1], choices[1:], True, bootloader.reason or "no entry of the boot loader names a kernel")
    named = [entry for entry in bootloader.defaults if entry.kernel]
    assumed = not named and all(entry is None for entry in bootloader.defaults)
    defaults = _distinct(_choice(fs, kernels, entry) for entry in (named or entries[:1]))
    if not named and not assumed:
        return BootChoices((), _others(fs, kernels, entries, ()), False, "the default entry starts no kernel of this root")
    return BootChoices(defaults, _others(fs, kernels, entries, defaults), assumed, bootloader.default_reason)


def _others(fs: GuestFS, kernels: Kernels, entries: Iterable[BootEntry], defaults: tuple[BootChoice, ...]) -> tuple[BootChoice, ...]:
    taken = {(choice.kernel_path, choice.initrds) for choice in defaults}
    found = _distinct(_choice(fs, kernels, entry) for entry in entries)
    return tuple(sorted((c for c in found if (c.kernel_path, c.initrds) not in taken), key=lambda choice: choice.rescue))


def _distinct(choices: Iterable[BootChoice]) -> tuple[BootChoice, ...]:
    """One choice per kernel and initramfs, preferably one that is not a rescue entry."""
    found: dict[tuple[str, tuple[str, ...]], BootChoice] = {}
    for choice in choices:
        key = (choice.kernel_path, choice.initrds)
        if key not in found or (found[key].rescue and not choice.rescue):
            found[key] = choice
    return tuple(found.values())


def _choice(fs: GuestFS, kernels: Kernels, entry: BootEntry) -> BootChoice:
    initrds = entry.initrds or ((entry.kernel,) if entry.has_initrd else ())  # a unified image contains its initramfs
    kernel = kernels.of_image(entry.kernel, fs)
    if kernel is not None and not kernel.version and entry.version:
        kernel = kernels.of_version(entry.version) or kernel
    return BootChoice(str(entry), entry.kernel, kernel, initrds, entry.where, entry.args, entry.is_rescue, kernels.unreadable, entry)


def _by_convention(fs: GuestFS, kernels: Kernels) -> Iterator[BootChoice]:
    for kernel in kernels:
        if not kernel.image:
            continue
        initrds = tuple(path for path in kernel.initrd_names() if fs.as_it_lies().is_file(path))[:1]
        yield BootChoice(kernel.version, kernel.image, kernel, initrds, kernel.where, rescue=kernel.is_rescue)
