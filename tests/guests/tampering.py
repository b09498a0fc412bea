"""Single deliberate defects put into a copy of a real image, without mounting it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from guestbuild.tools import run, write_at


@dataclass(frozen=True, slots=True)
class Copy:
    """A raw copy of an image whose ext4 root filesystem is the last partition."""

    image: Path
    root: int

    @classmethod
    def of(cls, source: Path, folder: Path) -> Copy:
        """Convert ``source`` into a raw file below ``folder``."""
        image = folder / "copy.raw"
        run("qemu-img", "convert", "-O", "raw", source, image)
        table = json.loads(run("sfdisk", "--json", image))["partitiontable"]
        return cls(image, table["partitions"][-1]["start"] * table["sectorsize"])

    def read(self, path: str) -> str:
        """A text file of the root filesystem."""
        return self._debugfs(f"cat {path}")

    def edit(self, path: str, old: str, new: str) -> int:
        """Replace the only ``old`` in a file; the number of the line it was in."""
        text = self.read(path)
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {path}"
        self.write(path, text.replace(old, new))
        return text[: text.index(old)].count("\n") + 1

    def append(self, path: str, line: str) -> int:
        """Add a line at the end of a file; its number."""
        text = self.read(path)
        self.write(path, f"{text}{line}\n")
        return text.count("\n") + 1

    def write(self, path: str, text: str) -> None:
        """Create or replace a file."""
        scratch = self.image.with_suffix(".txt")
        scratch.write_text(text, encoding="utf-8")
        self._debugfs(f"rm {path}", write=True)
        self._debugfs(f"write {scratch} {path}", write=True)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._debugfs(f"rm {path}", write=True)

    def erase_from_esp(self, path: str) -> None:
        """Remove a file of the EFI system partition, the first one."""
        run("mdel", "-i", f"{self.image}@@1M", f"::{path}", env={"MTOOLS_SKIP_CHECK": "1"})

    def erase_boot_code(self) -> None:
        """Zero the boot code in the first sector."""
        write_at(self.image, 0, bytes(440))

    def _debugfs(self, request: str, write: bool = False) -> str:
        return run("debugfs", *(["-w"] if write else []), "-R", request, f"{self.image}?offset={self.root}")
