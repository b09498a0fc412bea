"""Random changes in a folder, made at once or written down as a shell script for another machine."""

from __future__ import annotations

import os
import random
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

from tests.disk.images import run

BLOB = random.Random(0).randbytes(1 << 20)
SHELL = """
part() { tail -c "+$2" blob | head -c "$3"; }
put() { part x "$2" "$3" > "$M/$1"; }
more() { truncate -s "+$4" "$M/$1"; part x "$2" "$3" >> "$M/$1"; }
cut() { truncate -s "$2" "$M/$1"; }
flush() { sync "$M/$1"; }
"""
"""What the lines of :attr:`History.script` call: ``$M`` is where it happens, ``blob`` the content that is cut from."""


def plain(number: int) -> str:
    """A name that every filesystem keeps as it is."""
    return f"n{number:06}"


def odd(number: int) -> str:
    """Names that FAT and NTFS store in several ways: short, short in capitals, long, not in ASCII. No two differ in case alone."""
    return (f"n{number:06}", f"N{number:06}.CFG", f"a rather Long name of {number:06}.conf", f"häufig-{number:06}.€")[number % 4]


class History:
    """Random changes in a folder, some of them ``forced`` to the disk. ``script`` has them all as lines of a shell."""

    def __init__(self, top: Path, seed: int, name: Callable[[int], str] = plain, *, links: bool = True, forced: bool = True) -> None:
        self.top, self.draw, self.name, self.links, self.forced = top, random.Random(seed), name, links, forced
        self.script: list[str] = []

    def run(self, steps: int) -> None:
        """So many changes."""
        actions: tuple[Callable[[], None], ...] = (
            self.write, self.write, self.append, self.append, self.rename, self.remove, self.folder, self.link, self.punch, self.sync,
        )  # fmt: skip
        for _step in range(steps):
            self.draw.choice(actions)()

    def _files(self) -> list[Path]:
        return sorted(path for path in self.top.rglob("*") if path.is_file() and not path.is_symlink())

    def _folders(self) -> list[Path]:
        return [self.top, *sorted(path for path in self.top.rglob("*") if path.is_dir() and path.name != "lost+found")]

    def _new(self) -> Path:
        return self.draw.choice(self._folders()) / self.name(self.draw.randrange(10**6))

    def _note(self, word: str, *paths: Path, **more: int) -> None:
        names = [str(path.relative_to(self.top)) for path in paths]
        self.script.append(shlex.join([word, *names, *map(str, more.values())]))

    def _content(self, size: int) -> tuple[int, bytes]:
        start = self.draw.randrange(len(BLOB) - size)
        return start + 1, BLOB[start : start + size]

    def write(self) -> None:
        """A new file, or one written over."""
        path = self.draw.choice([*self._files(), self._new()]) if self.draw.random() < 0.4 else self._new()
        start, data = self._content(self.draw.choice((0, 10, 100, 4096, 9000, 70_000)))
        path.write_bytes(data)
        self._note("put", path, start=start, size=len(data))
        if self.draw.random() < 0.4:
            self._fsync(path)

    def append(self) -> None:
        """More at the end of a file, or after a hole."""
        if files := self._files():
            path, hole = self.draw.choice(files), self.draw.choice((0, 3, 20_000))
            start, data = self._content(self.draw.randrange(1, 20_000))
            with path.open("r+b") as file:
                file.seek(hole, 2)
                file.write(data)
            self._note("more", path, start=start, size=len(data), hole=hole)
            if self.draw.random() < 0.5:
                self._fsync(path)

    def punch(self) -> None:
        """A file cut short."""
        if files := self._files():
            path, size = self.draw.choice(files), self.draw.randrange(0, 12_000)
            os.truncate(path, size)
            self._note("cut", path, size=size)
            if self.draw.random() < 0.5:
                self._fsync(path)

    def rename(self) -> None:
        """A file elsewhere, perhaps over another."""
        if files := self._files():
            path, target = self.draw.choice(files), self.draw.choice([*files, self._new(), self._new()])
            path.rename(target)
            if path != target:
                self.script.append(f"mv -f {self._inside(path)} {self._inside(target)}")

    def remove(self) -> None:
        """A file or a folder gone."""
        folders = self._folders()[1:]
        if folders and self.draw.random() < 0.15:
            gone = self.draw.choice(folders)
            shutil.rmtree(gone)
        elif files := self._files():
            gone = self.draw.choice(files)
            gone.unlink()
        else:
            return
        self.script.append(f"rm -rf {self._inside(gone)}")

    def folder(self) -> None:
        """A new folder."""
        path = self._new()
        path.mkdir()
        self.script.append(f"mkdir {self._inside(path)}")

    def link(self) -> None:
        """A symbolic or hard link."""
        if not self.links:
            return
        if self.draw.random() < 0.5:
            path, target = self._new(), "x" * self.draw.choice((5, 59, 60, 200))
            path.symlink_to(target)
            self.script.append(f"ln -s {target} {self._inside(path)}")
        elif files := self._files():
            file, path = self.draw.choice(files), self._new()
            os.link(file, path)
            self.script.append(f"ln {self._inside(file)} {self._inside(path)}")

    def sync(self) -> None:
        """Everything to the disk."""
        if self.draw.random() < 0.3:
            if self.forced:
                run("sync", "-f", self.top)
            self.script.append('sync -f "$M"')

    def _inside(self, path: Path) -> str:
        return '"$M"/' + shlex.quote(str(path.relative_to(self.top)))

    def _fsync(self, path: Path) -> None:
        if self.forced:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        self._note("flush", path)
