"""Kernel modules built on the machine itself by DKMS (dkms(8)): its source trees, and the modules installed for each kernel."""

from __future__ import annotations

from v2vlint.facts.kernel.kernels import MODULE_FOLDERS
from v2vlint.facts.kernel.module_names import is_module_path, module_name
from v2vlint.facts.registry import provides
from v2vlint.guest.fs import GuestFS
from v2vlint.model.dataclass import dataclass

_FOLDERS = ("updates/dkms", "extra/dkms", "weak-updates/dkms")
MAX_MODULES = 500


@dataclass(frozen=True, slots=True)
class DkmsModule:
    """A locally built module file, and the kernel it is for."""

    name: str
    version: str
    path: str


@dataclass(frozen=True, slots=True)
class Dkms:
    """``sources`` are the names of the source trees DKMS knows, ``modules`` the installed modules."""

    sources: tuple[str, ...] = ()
    modules: tuple[DkmsModule, ...] = ()


@provides
def find_dkms(fs: GuestFS) -> Dkms:
    """Read DKMS's folders. Missing folders count as empty."""
    sources = tuple(name for name in fs.listdir("/var/lib/dkms") if fs.is_dir(f"/var/lib/dkms/{name}"))
    found: dict[str, DkmsModule] = {}
    for top in MODULE_FOLDERS:
        for version in fs.listdir(top):
            for folder in _FOLDERS:
                for name in fs.listdir(f"{top}/{version}/{folder}"):
                    # weak-updates has links to modules that were built for another kernel.
                    path = fs.resolve(f"{top}/{version}/{folder}/{name}")
                    if path and is_module_path(name) and len(found) < MAX_MODULES:
                        found[path] = DkmsModule(module_name(name), version, path)
    return Dkms(sources, tuple(found.values()))
