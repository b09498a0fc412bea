"""Files that a confined process leaves for its parent. The process may have been taken over by the guest that it handles."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO


def opened(path: Path) -> BinaryIO | None:
    """The regular file at ``path``, to be read; None when there is none, or a link, a pipe or a folder in its place."""
    try:
        stream = open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK))  # noqa: SIM115
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        return stream
    stream.close()
    return None
