"""OVF manifests (DSP0243 §5.1): ``SHA256(file)= hex`` lines, compared with the files that they list."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator

from v2vlint.files import FileOpener
from v2vlint.model.definition import Feature
from v2vlint.model.place import Span
from v2vlint.model.source import DiskFile

MAX_MANIFEST = 1 << 20
_BLOCK = 4 << 20
_LINE = re.compile(r"^(SHA1|SHA256|SHA512)\s*\(([^)]+)\)\s*=\s*([0-9a-fA-F]+)\s*$")


def compare(
    path: str, text: bytes, find: Callable[[str], DiskFile | None], wanted: Callable[[str], bool], files: FileOpener
) -> Iterator[Feature]:
    """The differences between the manifest ``text`` (called ``path``) and the files known to ``find``.

    Kinds: ``manifest-mismatch``, ``manifest-missing`` and ``manifest-malformed``. Only the ``wanted`` files are read, through ``files``,
    and hashed.
    """
    start, known = 0, {}
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        where = Span(path, start, start + len(line), number)
        start += len(line) + 1
        match = _LINE.match(line)
        if match is None:
            if line.strip():
                yield Feature("manifest-malformed", line.strip()[:80], where)
            continue
        file = find(match[2])
        if file is None:
            yield Feature("manifest-missing", match[2], where)
        elif wanted(match[2]):
            # However often a manifest names a file, it is read once for each algorithm.
            key = match[1].lower(), file
            if key not in known:
                known[key] = digest(match[1].lower(), file, files)
            if known[key] != match[3].lower():
                yield Feature("manifest-mismatch", match[2], where)


def digest(algorithm: str, file: DiskFile, files: FileOpener) -> str:
    """The hexadecimal digest of a whole file or archive member; OSError or ImageError when it cannot be read."""
    found = hashlib.new(algorithm)
    with files.open(file.path).stream() as stream:
        stream.seek(file.offset)
        left = file.length if file.length >= 0 else 1 << 62
        while left and (block := stream.read(min(left, _BLOCK))):
            found.update(block)
            left -= len(block)
    return found.hexdigest()
