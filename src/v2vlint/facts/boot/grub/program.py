"""The running GRUB 2: its firmware, its built-in modules, its starting point, and thus the commands that it has.

A command exists if it is built into the program, or if its module can be loaded from the folder that ``$prefix`` refers to (``command.lst``
names the module of each command).
"""

from __future__ import annotations

from v2vlint.disk.boot.grub_image import module_name, module_needs
from v2vlint.facts.boot.grub.build import MODULES, GrubBuild
from v2vlint.facts.boot.grub.files import GrubFiles
from v2vlint.facts.boot.grub.shell import GrubShell
from v2vlint.facts.boot.grub.values import Environment
from v2vlint.facts.syntax.located import Located
from v2vlint.guest.text import GuestText
from v2vlint.model.dataclass import dataclass

DRIVERS = {
    "ext2": "ext2", "ext3": "ext2", "ext4": "ext2", "vfat": "fat", "xfs": "xfs", "btrfs": "btrfs", "f2fs": "f2fs", "squashfs": "squash4",
}  # fmt: skip
"""The modules that read filesystems, by what blkid calls those."""
MAX_MODULE = 4 << 20
MAX_LOADED = 1_000
_FOLDERS = {"x86_64": "x86_64-efi", "i386": "i386-efi", "aarch64": "arm64-efi", "": "x86_64-efi"}
# Red Hat's and Fedora's UEFI program is one file whose modules are listed in grub2.spec; linux16 and initrd16 are for BIOS.
# The patch that adds linuxefi and initrdefi is for UEFI, in every distribution that has it.
_NEVER: dict[str, tuple[frozenset[str], frozenset[str] | None]] = {
    "uefi": (frozenset({"linux16", "initrd16"}), frozenset({"rhel"})),
    "bios": (frozenset({"linuxefi", "initrdefi"}), None),
}


@dataclass(frozen=True, slots=True)
class GrubProgram:
    """``firmware`` is ``bios``, ``uefi`` or empty; ``path`` is the EFI program if known, ``build`` its contents."""

    firmware: str = ""
    arch: str = ""
    family: str = ""
    path: str = ""
    build: GrubBuild | None = None

    def has(self, shell: GrubShell, command: str) -> bool | None:
        """Whether the program has ``command``, or can load it now; None when that cannot be determined, or makes no difference."""
        if command not in MODULES or not self.firmware:
            return None
        if self.build is not None and command in self.build.commands:
            return True
        loadable = self._loadable(shell, command)
        if loadable or self._is_never_there(command):
            return loadable is True
        return None if self.build is None else loadable

    def _is_never_there(self, command: str) -> bool:
        commands, families = _NEVER.get(self.firmware, (frozenset(), None))
        return command in commands and (families is None or self.family in families)

    def insert(self, shell: GrubShell, module: str) -> None:
        """``insmod``, which succeeds even without the module (``grub_mini_cmd_insmod`` of kern/corecmd.c)."""
        name = module.rpartition("/")[2].removesuffix(".mod")
        loads, needed = self._closure(shell, name)
        if loads is not False:
            shell.inserted |= needed

    def blind(self, shell: GrubShell) -> str:
        """Why the program cannot read the configuration at its prefix; empty when it can, or when that is not known."""
        if self.build is None:
            return ""
        kind = shell.files.kind_at(shell.value("prefix"), shell.value("root"))
        driver = DRIVERS.get(kind, "")
        if driver and driver not in self._present(shell):
            return f"{self.path} has no module for {kind}, and its files are on one"
        return f"{self.path} has no module normal, nor finds one" if self._loads(shell, "normal") is False else ""

    def _loadable(self, shell: GrubShell, command: str) -> bool | None:
        folder = self._folder(shell)
        place = shell.files.locate(folder, shell.value("root")) if folder else None
        if place is None or not place.certain:
            return None
        if MODULES[command] in shell.inserted:
            return True
        if not place.exists:
            return False
        list_at = shell.files.locate(f"{folder}/command.lst", shell.value("root"))
        listed = shell.files.text(list_at)
        # Without its list, GRUB loads nothing of its own accord (grub-core/normal/dyncmd.c).
        module = _module(listed, command) if listed else MODULES[command] if list_at.exists else ""
        return self._loads(shell, module) if module else False

    def _folder(self, shell: GrubShell) -> str:
        """Where modules are loaded from; empty when that is unknown."""
        folder = "i386-pc" if self.firmware == "bios" else _FOLDERS.get(self.arch, "")
        prefix = shell.value("prefix")
        return f"{prefix}/{folder}" if prefix and folder else ""

    def _present(self, shell: GrubShell) -> frozenset[str]:
        """The modules that are in memory: a loaded one stays there when ``$prefix`` changes."""
        return (self.build.modules if self.build else frozenset()) | shell.inserted

    def _loads(self, shell: GrubShell, module: str) -> bool | None:
        """Whether the module and all that it needs are built in, loaded or loadable."""
        return self._closure(shell, module)[0]

    def _closure(self, shell: GrubShell, module: str) -> tuple[bool | None, set[str]]:
        """Whether the module can be loaded, and what is in memory with it that was not before."""
        waiting, present, needed, unknown = [module], self._present(shell), set[str](), False
        folder = self._folder(shell)
        while waiting and len(needed) < MAX_LOADED:
            name = waiting.pop()
            if name in present or name in needed:
                continue
            needed.add(name)
            place = shell.files.locate(f"{folder}/{name}.mod", shell.value("root"))
            if not folder or not place.certain or (place.exists and place.foreign):
                unknown = True
                continue
            data = shell.files.fs.head(place.path, MAX_MODULE) if place.exists else None
            if not data or not module_name(data):
                return False, needed
            waiting += module_needs(data)
        return None if unknown else True, needed


def _module(listed: GuestText, command: str) -> str:
    """The module with the command, according to ``command.lst`` (``*linux: linux``); empty when there is none."""
    rows = (line.text.partition(":") for line in listed.lines())
    return next((module.strip() for name, _colon, module in rows if name.strip().lstrip("*") == command), "")


def start(program: GrubProgram, build: GrubBuild, files: GrubFiles) -> Environment:
    """The variables that the program sets when firmware has started it from its own place (grub-core/kern/main.c)."""
    device, folder = files.device_of(program.path), files.inside(program.path).rsplit("/", 1)[0]
    prefix = build.prefix or f"({device}){folder}"
    if not prefix.startswith("("):
        prefix = f"({device}){prefix}"
    # `(,gpt2)/boot/grub`: grub-install leaves the disk to grub_set_prefix_and_root (kern/main.c).
    elif prefix.startswith("(,"):
        prefix = f"({_disk_of(program.path, files)}{prefix[1:]}"
    root = prefix[1:].partition(")")[0]
    return {"prefix": Located(prefix), "root": Located(root), "cmdpath": Located(f"({device}){folder}")}


def _disk_of(path: str, files: GrubFiles) -> str:
    uuid = files.fs.mounts[files.fs.mount_of(path)].uuid
    block = next(iter(files.blocks.tagged("UUID", uuid)), None)
    return f"hd{block.disk}" if block else "hd"
