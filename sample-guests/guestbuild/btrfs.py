"""btrfs with subvolumes and snapshots: mkfs.btrfs knows none, so the libguestfs appliance makes them."""

from __future__ import annotations

from pathlib import Path

from guestbuild.partition import MIB
from guestbuild.recipe import FileSystem
from guestbuild.tools import blank, run

# Without KVM the appliance runs emulated; where /dev/kvm exists but does not work it would abort.
_FIRST_ID = 256
_APPLIANCE = {"LIBGUESTFS_BACKEND": "direct", "LIBGUESTFS_BACKEND_SETTINGS": "force_tcg"}


def make(path: Path, spec: FileSystem, tree: Path, uuid: str) -> Path:
    """A btrfs whose subvolume ``spec.default`` (or the first) is the default one and holds ``tree``."""
    blank(path, max(spec.size, 128) * MIB)
    run("mkfs.btrfs", "-q", "-f", "-U", uuid, *(["-L", spec.label] if spec.label else []), path)
    archive = path.with_suffix(".tar")
    run("tar", "-C", tree, "--owner=0", "--group=0", "-cf", archive, ".")
    run("guestfish", stdin="\n".join(_script(path, spec, archive)), env=_APPLIANCE)
    archive.unlink()
    return path


def _script(path: Path, spec: FileSystem, archive: Path) -> list[str]:
    default = spec.default or spec.subvolumes[0]
    lines = [f"add-drive {path} format:raw", "run", "mount-options compress=zstd:1 /dev/sda /"]
    for name in spec.subvolumes:
        lines += [f"-mkdir-p /{name.rpartition('/')[0]}"] if "/" in name else []
        lines.append(f"btrfs-subvolume-create /{name}")
    lines.append(f"tar-in {archive} /{default}")
    for name, source in spec.snapshots.items():
        lines += [f"mkdir-p /{name.rpartition('/')[0]}", f"btrfs-subvolume-snapshot /{source} /{name} ro:true"]
    return [*lines, f"btrfs-subvolume-set-default {_FIRST_ID + spec.subvolumes.index(default)} /", "umount-all", ""]
