"""Questions about a guest's content, asked by the parent and answered by an isolated child: facts by name, initramfs images, files."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from v2vlint.model.codec import decode, encode
from v2vlint.model.dataclass import dataclass
from v2vlint.model.errors import FactUnavailable, ImageError, UsageError
from v2vlint.model.place import Where, WholeFile
from v2vlint.model.source import GuestRef, Keys

if TYPE_CHECKING:
    from v2vlint.facts.registry import FactStore

ENTRY = "v2vlint.engine.questions:answer"
MAX_CONTENT = 8 << 20


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one root of a guest.

    ``facts`` are names of fact types in :mod:`v2vlint.api`; ``initramfs`` requests the image that the default boot entry loads; ``files``
    are guest paths, ``services`` names of services or units, ``keys_of_registry`` paths that start with ``HKLM``. ``modules`` are looked up
    in the kernel of the default boot entry. ``root`` is the device of the operating system, needed only when there are several.
    """

    guest: GuestRef
    keys: Keys = Keys()
    root: str = ""
    facts: tuple[str, ...] = ()
    initramfs: bool = False
    files: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    keys_of_registry: tuple[str, ...] = ()
    modules: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FileView:
    """A path of a guest. ``kind`` is ``file``, ``directory``, ``symbolic link``, ``other`` or ``absent``, links followed.

    ``link`` is the target when the path itself is a link, ``real`` the path without any links; ``content`` the bytes of a regular file;
    ``mode`` has permission bits; ``mtime`` is seconds since the epoch, 0 when unknown.
    """

    path: str
    kind: str = "absent"
    link: str = ""
    size: int = 0
    mode: int = 0
    uid: int = 0
    gid: int = 0
    content: bytes = b""
    names: tuple[str, ...] = ()
    mtime: float = 0.0
    real: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to one question: its encoded value as JSON text, or the place and reason why it cannot be known."""

    value: str = ""
    where: Where | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Answers:
    """Replies by what was asked: ``fact:NAME``, ``file:PATH``, ``service:NAME``, ``key:PATH``, ``initramfs`` or ``kernel``; ``roots`` are
    the devices of all roots."""

    roots: tuple[str, ...]
    replies: Mapping[str, Reply]


def answer(request: Any) -> Any:
    """Answer an encoded :class:`Question` with encoded :class:`Answers`. ImageError when the guest has no such root."""
    from v2vlint.facts.registry import FactStore
    from v2vlint.guest.open import open_ref
    from v2vlint.model.definition import Definition

    question = decode(Question, request)
    guest = open_ref(question.guest, question.keys)
    root = next((root for root in guest.roots if question.root in ("", root.device)), None)
    if root is None:
        reasons = "; ".join(f"{problem.where}: {problem.reason}" for problem in guest.problems)
        raise ImageError(f"{guest.name}: no operating system{f' on {question.root}' if question.root else ''}: {reasons}")
    store = FactStore((root.fs, guest.blocks, root.os, guest.definition or Definition("", "")))
    return encode(Answers(tuple(root.device for root in guest.roots), replies(store, question)))


def replies(store: FactStore, question: Question) -> dict[str, Reply]:
    """The replies about the root whose facts are in ``store``."""
    from v2vlint import api
    from v2vlint.engine.details import kernel, registry_key, service
    from v2vlint.guest.fs import GuestFS

    fs = store.get(GuestFS)
    found = {f"fact:{name}": _reply(partial(store.get, _kind(api, name))) for name in question.facts}
    found |= {f"file:{path}": _reply(partial(view, fs, path)) for path in question.files}
    found |= {f"service:{name}": _reply(partial(service, store, name)) for name in question.services}
    found |= {f"key:{path}": _reply(partial(registry_key, store, path)) for path in question.keys_of_registry}
    if question.initramfs:
        found["initramfs"] = _reply(partial(_initramfs, store))
    if question.modules is not None:
        found["kernel"] = _reply(partial(kernel, store, question.modules))
    return found


def _kind(api: Any, name: str) -> type[Any]:
    kind = getattr(api, name, None)
    if not dataclasses.is_dataclass(kind) or not isinstance(kind, type):
        raise UsageError(f"v2vlint.api has no fact {name}")
    return kind


def _reply(find: Callable[[], object]) -> Reply:
    try:
        return Reply(json.dumps(encode(find())))
    except FactUnavailable as reason:
        return Reply("", reason.where, reason.reason)


def _initramfs(store: Any) -> object:
    from v2vlint.facts.boot.bootloader import Bootloader
    from v2vlint.facts.initramfs.images import Initramfses

    loader = store.get(Bootloader)
    if loader.default is None:
        raise FactUnavailable(loader.where, f"no default boot entry: {loader.default_reason}")
    paths = loader.default.initrds or ((loader.default.kernel,) if loader.default.uki else ())
    found = store.get(Initramfses).joined(paths)
    if found is None:
        raise FactUnavailable(WholeFile(" ".join(paths) or "/boot"), "the default entry loads no initramfs, or a missing one")
    return found


def view(fs: Any, path: str) -> FileView:
    """The file at ``path``. FactUnavailable when it is longer than MAX_CONTENT."""
    link, found = fs.readlink(path) or "", fs.stat(path)
    if found is None:
        return FileView(path, link=link)
    content = fs.read(path, MAX_CONTENT) or b"" if found.kind.value == "file" else b""
    names, real = fs.listdir(path), fs.resolve(path) or ""
    return FileView(path, found.kind.value, link, found.size, found.mode, found.uid, found.gid, content, names, found.mtime, real)
