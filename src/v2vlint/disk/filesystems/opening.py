"""Opens a filesystem by its type; each reader is imported on first use."""

from __future__ import annotations

from collections.abc import Sequence

from v2vlint.disk.filesystems.content import Content
from v2vlint.disk.filesystems.formats import format_of, function
from v2vlint.disk.filesystems.node import FileSystem
from v2vlint.disk.stream import Stream
from v2vlint.model.errors import ImageError, Unsupported


def is_readable(kind: str) -> bool:
    """Whether there is a reader for filesystems of type ``kind``."""
    one = format_of(kind)
    return one is not None and bool(one.reader)


def open_filesystem(content: Content, streams: Sequence[Stream]) -> FileSystem:
    """Open the filesystem on ``streams`` (several only for btrfs); ImageError or Unsupported says why not."""
    one = format_of(content.type)
    if one is None or not one.reader:
        raise Unsupported(f"{content.type} is not supported")
    try:
        system: FileSystem = function(one.reader)(content, streams)
    except (ImageError, MemoryError):
        raise
    except Exception as error:
        raise ImageError(f"damaged {content.type}: {str(error).strip() or type(error).__name__}") from error
    return system
