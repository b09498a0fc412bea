"""Answers about guests, shared by the workers of a test run: a folder of JSON files with one lock per answer."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any


class SharedCache:
    """Answers by key. The first worker to ask computes; the others wait and read. Exceptions are not stored."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # The folder is in /tmp, where somebody else may have made one of this name.
        if folder.stat().st_uid != os.getuid():
            raise PermissionError(f"{folder} belongs to another user")
        self._folder = folder
        self._known: dict[str, object] = {}

    def get(self, key: object, compute: Callable[[], Any]) -> Any:
        """The JSON-ready answer for ``key`` (JSON-ready data)."""
        name = hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()
        if name not in self._known:
            with (self._folder / f"{name}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._known[name] = self._shared(self._folder / f"{name}.json", compute)
        return self._known[name]

    def _shared(self, path: Path, compute: Callable[[], Any]) -> Any:
        if path.exists():
            return json.loads(path.read_text("utf-8"))
        answer = compute()
        # Renamed at the end: a worker that is killed leaves no half answer.
        draft = path.with_suffix(".new")
        draft.touch(0o600)
        draft.write_text(json.dumps(answer), "utf-8")
        draft.rename(path)
        return answer
