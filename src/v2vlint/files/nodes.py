"""Images as QEMU's block nodes: complete trees in JSON, so that QEMU follows no name in a header.

Files are given as descriptors (``/dev/fd/N``) that the tool inherits. So QEMU parses no file name (``json:{…}``, ``a:b``, ``-x``,
``a,b=c``, bytes that are not UTF-8), and the file it opens is the file that was checked.
"""

from __future__ import annotations

import json
import os
import stat
import tempfile
from pathlib import Path
from types import TracebackType

from v2vlint.confine import Grant
from v2vlint.files.policy import FilePolicy
from v2vlint.model.errors import Unsupported
from v2vlint.model.plain import JsonObject
from v2vlint.model.source import ImageExtent, ImageNode

DRIVERS = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vhd": "vpc", "vpc": "vpc", "vhdx": "vhdx", "vdi": "vdi"}
"""QEMU's drivers by the reader's names of formats."""
SECTOR = 512
_FLAT = ("FLAT", "VMFS")


class Nodes:
    """Opens the files of block nodes and keeps them open. Use it as a context manager around the tool that gets the nodes.

    ``names`` has the paths of the descriptors that the tool must inherit, ``written`` those that it may write to.
    """

    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.written: list[str] = []
        self._scratch: tempfile.TemporaryDirectory[str] | None = None

    def __enter__(self) -> Nodes:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def grant(self) -> Grant:
        """The files that a confined tool may reopen through the descriptors."""
        scratch = (self._scratch.name,) if self._scratch else ()
        return Grant((*self.names.values(), *scratch), tuple(self.written))

    @property
    def descriptors(self) -> tuple[int, ...]:
        """The descriptors that the tool must inherit."""
        return tuple(self.names)

    def close(self) -> None:
        """Close the opened files."""
        for descriptor in self.names:
            os.close(descriptor)
        self.names.clear()
        if self._scratch is not None:
            self._scratch.cleanup()
            self._scratch = None

    def image(self, node: ImageNode, *, writable: bool = False) -> JsonObject:
        """The node of an image. Everything below it is read-only. Unsupported when QEMU has no driver for it."""
        if node.format not in DRIVERS:
            raise Unsupported(f"{node.path}: QEMU cannot open a {node.format} image as it is")
        whole = None if node.extents else self.file(node.path, writable=writable)
        file = self._window(node, whole) if whole else self._described(node, writable=writable)
        if node.format == "raw":
            return file if file["driver"] == "raw" else self._marked({"driver": "raw", "file": file}, writable)
        return self._marked(self.on(node, file, writable=writable), writable)

    def on(self, node: ImageNode, file: JsonObject, *, writable: bool = False) -> JsonObject:
        """The format of ``node`` on another file."""
        top: JsonObject = {"driver": DRIVERS[node.format], "file": file}
        if node.data:
            top["data-file"] = self.file(node.data.path, writable=writable)
        if node.format in ("qcow2", "vmdk"):
            # None becomes null: if it were left out, QEMU would open the backing file that the header names.
            top["backing"] = self.image(node.backing) if node.backing else None
        return top

    def overlay(self, path: str | Path, below: ImageNode | None, *, writable: bool = True) -> JsonObject:
        """The node of a qcow2 file of ours, with its changes to ``below``, or independent."""
        backing = self.image(below) if below else None
        # Only the folder is resolved: a link in place of the file itself has to be refused.
        own = Path(path).parent.resolve() / Path(path).name
        return self._marked({"driver": "qcow2", "file": self.file(str(own), writable=writable), "backing": backing}, writable)

    def file(self, path: str, *, writable: bool = False) -> JsonObject:
        """The node of a file or block device at a resolved path. Refused when it has been replaced by a link."""
        opened = FilePolicy(frozenset((path,))).open(path)
        self.names[opened.descriptor] = path
        if writable:
            self.written.append(path)
        block = stat.S_ISBLK(os.fstat(opened.descriptor).st_mode)
        return self._marked({"driver": "host_device" if block else "file", "filename": f"/dev/fd/{opened.descriptor}"}, writable)

    @staticmethod
    def _marked(node: JsonObject, writable: bool) -> JsonObject:
        return node if writable else {**node, "read-only": True}

    def _window(self, node: ImageNode, file: JsonObject) -> JsonObject:
        """The part of a file that is a member of an archive."""
        if not node.offset and node.length < 0:
            return file
        size = {"size": node.length} if node.length >= 0 else {}
        return {"driver": "raw", "file": file, "offset": node.offset, "read-only": True, **size}

    def _described(self, node: ImageNode, *, writable: bool) -> JsonObject:
        """A descriptor with the same extents under our own names: QEMU opens the files that it names, and cannot be given others."""
        if self._scratch is None:
            self._scratch = tempfile.TemporaryDirectory(prefix="v2vlint-nodes-")
        folder = Path(tempfile.mkdtemp(dir=self._scratch.name))
        lines = [self._line(extent, folder / f"e{number}", writable=writable) for number, extent in enumerate(node.extents)]
        # Words of the guest go into a text that QEMU parses line by line: nothing but letters and digits may.
        own, parent = (value if value.isalnum() and value.isascii() else "fffffffe" for value in node.ids)
        head = ["# Disk DescriptorFile", "version=1", f"CID={own}", f"parentCID={parent}", f'createType="{_word(node.kind)}"']
        text = folder.resolve() / "descriptor"
        text.write_text("\n".join([*head, *lines, 'ddb.adapterType = "lsilogic"', ""]), "ascii")
        if writable:
            self.written.append(str(text))
        return self._marked({"driver": "file", "filename": str(text)}, writable)

    def _line(self, extent: ImageExtent, link: Path, *, writable: bool) -> str:
        sectors = extent.size // SECTOR
        if extent.node is None:
            return f"RW {sectors} ZERO"
        if extent.node.offset or extent.node.length >= 0:
            raise Unsupported(f"{extent.node.path}: an image of several parts inside an archive", hint="unpack the archive first")
        # QEMU opens an extent by its name beside the descriptor; the link leads it to the file that was checked.
        link.symlink_to(self.file(extent.node.path, writable=writable)["filename"])
        start = f" {extent.start // SECTOR}" if extent.kind in _FLAT else ""
        return f'RW {sectors} {_word(extent.kind)} "{link.name}"{start}'


def _word(text: str) -> str:
    return text if text.isalnum() and text.isascii() else "monolithicSparse"


def argument(node: JsonObject) -> str:
    """A node in the form that qemu-img, qemu-io and qemu-nbd accept in place of a file name."""
    return f"json:{json.dumps(node)}"
