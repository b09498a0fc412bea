"""Archives in the kernel's newc format."""

from __future__ import annotations

from collections.abc import Mapping

_DIRECTORY, _FILE, _LINK = 0o040755, 0o100644, 0o120777


def newc(files: Mapping[str, bytes | str]) -> bytes:
    """An archive of these files; a text value is a symbolic link's target. Parent directories are added. A file ``init`` is executable."""
    entries: dict[str, tuple[int, bytes]] = {}
    for name, content in files.items():
        parts = name.split("/")
        for depth in range(1, len(parts)):
            entries.setdefault("/".join(parts[:depth]), (_DIRECTORY, b""))
        if isinstance(content, str):
            entries[name] = (_LINK, content.encode())
        else:
            entries[name] = (_FILE | (0o111 if parts[-1] == "init" else 0), content)
    body = b"".join(_record(number, name, *entry) for number, (name, entry) in enumerate(entries.items(), 1))
    end = _record(0, "TRAILER!!!", 0, b"")
    return (body + end).ljust(-(-len(body + end) // 512) * 512, b"\0")


def _record(inode: int, name: str, mode: int, data: bytes) -> bytes:
    raw = name.encode() + b"\0"
    numbers = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(raw), 0)
    head = b"070701" + b"".join(b"%08X" % number for number in numbers) + raw
    return head + bytes(-len(head) % 4) + data + bytes(-len(data) % 4)
