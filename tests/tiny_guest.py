"""Guests that are nothing but an initramfs: this machine's kernel with a few of its programs and modules, and a script as process 1."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TinyGuest:
    """What is copied from this machine: programs with their libraries, other files, folders with plug-ins, and kernel modules."""

    programs: tuple[str, ...]
    modules: tuple[str, ...]
    data: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def fill(self, tree: Path, init: str) -> None:
        """Lay all of it out below ``tree``, with ``init`` as /init, for the newest kernel."""
        for name in ("bin", "sbin", "lib", "lib64"):
            (tree / "usr" / name).mkdir(parents=True)
            (tree / name).symlink_to(f"usr/{name}")
        for name in ("proc", "sys", "dev", "run", "tmp", "var", "etc"):
            (tree / name).mkdir()
        for path in (*self.programs, *self.data, *self._libraries()):
            _copy(path, tree)
        for folder in self.folders:
            for file in Path(folder).rglob("*.*") if Path(folder).is_dir() else ():
                _copy(str(file), tree)
        self._copy_modules(tree, kernels()[-1].name.removeprefix("vmlinuz-"))
        (tree / "usr/bin/sh").symlink_to("bash")
        (tree / "var/run").symlink_to("../run")
        (tree / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
        (tree / "init").write_text(init)
        (tree / "init").chmod(0o755)

    def _libraries(self) -> set[str]:
        found: set[str] = set()
        plugins = [str(path) for folder in self.folders for path in Path(folder).rglob("*.so")]
        for path in (*self.programs, *plugins):
            listed = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
            found.update(match[1] for match in re.finditer(r"(/\S+) \(0x", listed))
        return found | {str(path) for path in Path("/lib/x86_64-linux-gnu").glob("libnss_files*")}

    def _copy_modules(self, tree: Path, release: str) -> None:
        for module in self.modules:
            command = ["modprobe", "-S", release, "-D", module]
            for match in re.finditer(r"insmod (\S+)", subprocess.run(command, capture_output=True, text=True, check=False).stdout):
                _copy(match[1], tree)
        for path in Path(f"/lib/modules/{release}").glob("modules.*"):
            _copy(str(path), tree)


def lacks(*tools: str) -> bool:
    """Whether this machine cannot start such a guest with these programs."""
    needed = ("qemu-system-x86_64", "cpio", *tools)
    return not kernels() or len(programs(*needed)) < len(needed)


def kernels() -> list[Path]:
    """The kernels of this machine, the newest last."""
    return sorted(Path("/boot").glob("vmlinuz-*-amd64"))


def console(folder: Path, *devices: str, append: str = "", seconds: float = 1200) -> str:
    """What a machine whose initramfs is the tree in ``folder`` shows until it ends by itself. AssertionError when it does not in time."""
    (folder / "initramfs").write_bytes(cpio(folder / "tree"))
    words = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", "qemu64", "-m", "512", "-nodefaults", "-display", "none"]
    words += ["-serial", "stdio", "-no-reboot", "-kernel", str(kernels()[-1]), "-initrd", str(folder / "initramfs")]
    words += ["-append", f"console=ttyS0 quiet panic=-1 {append}", *devices]
    try:
        shown = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, timeout=seconds).stdout
    except subprocess.TimeoutExpired as late:
        raise AssertionError(f"still running after {seconds} s:\n{(late.stdout or b'').decode('utf-8', 'replace')}") from late
    return shown.decode("utf-8", "replace").replace("\r", "")


def _copy(path: str, tree: Path) -> None:
    source = Path(path).resolve()
    for name in dict.fromkeys((str(Path(path).parent.resolve() / Path(path).name), str(source))):
        place = tree / name.lstrip("/")
        if not place.exists() and source.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, place)


def cpio(tree: Path) -> bytes:
    """The files below ``tree`` as an initramfs, not compressed."""
    names = "\0".join(sorted(str(path.relative_to(tree)) for path in tree.rglob("*")))
    done = subprocess.run(["cpio", "-0", "-o", "-H", "newc", "--quiet"], input=names.encode(), capture_output=True, check=True, cwd=tree)
    return done.stdout


def programs(*names: str) -> tuple[str, ...]:
    """Where programs of these names are on this machine; those that are not here are left out."""
    return tuple(path for name in names if (path := shutil.which(name, path="/sbin:/usr/sbin:/bin:/usr/bin")))
