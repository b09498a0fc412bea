"""Unfolds the recipe of one operating system into a directory."""

from __future__ import annotations

import shutil
from pathlib import Path

from guestbuild import elf, initramfs, kernel, packages, pe
from guestbuild.recipe import Elf, Tree, Uki
from guestbuild.tools import BuildError
from v2vlint.samples.regf import make_hive


def unfold(spec: Tree, source: Path, tree: Path) -> Path:
    """Make ``tree`` hold what ``spec`` says and, under it, the files of the directory ``source`` if there is one."""
    tree.mkdir(parents=True)
    _skeleton(spec, tree)
    if source.is_dir():
        shutil.copytree(source, tree, symlinks=True, dirs_exist_ok=True)
    for name in _left(spec.services):
        _enable(tree, name)
    _binaries(spec, tree)
    for name, text in spec.files.items():
        _write(tree, name, text.encode())
    for name, size in spec.fill.items():
        _write(tree, name, b"x" * size)
    for profile in tree.glob("*/NetworkManager/system-connections/*"):
        profile.chmod(0o600)  # NetworkManager loads no other
    for name, mode in spec.modes.items():
        (tree / name.lstrip("/")).chmod(int(mode, 8))
    for name in spec.without:
        _remove(tree / name.lstrip("/"))
    return tree


def _skeleton(spec: Tree, tree: Path) -> None:
    for name in spec.dirs:
        (tree / name.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name, target in spec.links.items():
        path = tree / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(target)


def _left(names: tuple[str, ...]) -> list[str]:
    """``names`` without those that a ``-NAME`` among them takes out."""
    return [name for name in names if not name.startswith("-") and f"-{name}" not in names]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _enable(tree: Path, name: str) -> None:
    _write(tree, f"/usr/lib/systemd/system/{name}.service", f"[Unit]\nDescription={name}\n".encode())
    link = tree / f"etc/systemd/system/multi-user.target.wants/{name}.service"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(f"/usr/lib/systemd/system/{name}.service")


def _binaries(spec: Tree, tree: Path) -> None:
    for one in spec.kernels:
        kernel.install(one, tree)
    for image in spec.initramfs:
        initramfs.install(image, spec.kernels, tree)
    for stub in spec.elfs:
        _write(tree, stub.path, _program(stub), 0o755)
    for application in spec.efi:
        _write_efi(application, spec, tree)
    for name in _left(spec.programs):
        _write(tree, name, pe.application(machine=spec.machine))
    for name, text in spec.hives.items():
        _write(tree, name, make_hive(text, name.rsplit("/", 1)[1]))
    if spec.packages:
        packages.install(spec.packages.manager, spec.packages.installed, tree, spec.packages.folder)


def _write(tree: Path, name: str, data: bytes, mode: int = 0o644) -> None:
    path = tree / name.lstrip("/")
    if not path.parent.resolve().is_relative_to(tree.resolve()):
        raise BuildError(f"{name} leads out of the guest")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    path.chmod(mode)


def _program(stub: Elf) -> bytes:
    return elf.program(stub.machine, stub.level, stub.interpreter, stub.shared)


def _write_efi(spec: Uki, tree: Tree, root: Path) -> None:
    sections: dict[str, bytes] = {}
    if spec.kernel:
        system = tree.files.get("/usr/lib/os-release", tree.files.get("/etc/os-release", ""))
        sections = {".osrel": system.encode(), ".uname": spec.kernel.encode(), ".cmdline": spec.cmdline.encode()}
        sections[".linux"] = kernel.vmlinuz(spec.kernel, spec.machine)
        sections[".initrd"] = _initrd(spec, tree)
    for path in (spec.path, *spec.copies):
        _write(root, path, pe.application(sections, spec.machine))


def _initrd(spec: Uki, tree: Tree) -> bytes:
    image = [image for image in tree.initramfs if image.path == spec.initramfs][-1]
    return initramfs.make(image, next(one for one in tree.kernels if one.version == spec.kernel))
