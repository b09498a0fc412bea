"""State of one pytest run: the options in use, and the answers about guests. Imports only pytest until an answer is needed."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_v2vlint.store import Store

_STORE: pytest.StashKey[Store] = pytest.StashKey()
_FOLDER: pytest.StashKey[Path] = pytest.StashKey()
_SETTINGS = ("target", "mover", "fail-on", "select", "ignore", "profile", "baseline")


def images_of(config: pytest.Config) -> list[str]:
    """The guests named by options or ini keys."""
    return list(config.getoption("--v2vlint") or config.getini("v2vlint_images"))


def guests_of(config: pytest.Config) -> list[str]:
    """The same without the parts that ``IMAGE::forecast`` takes: what tests of one's own ask."""
    return list(dict.fromkeys(name.partition("::")[0] for name in images_of(config)))


def wish(config: pytest.Config, name: str) -> Any:
    """An option, or else its ini key."""
    return config.getoption(f"--v2vlint-{name}") or config.getini(f"v2vlint_{name.replace('-', '_')}")


def store_of(config: pytest.Config) -> Store:
    """The answers of this run, created on first use."""
    if _STORE not in config.stash:
        from pytest_v2vlint.store import Store

        said = {name: wish(config, name) for name in _SETTINGS}
        config.stash[_STORE] = Store(config.rootpath, {name: value for name, value in said.items() if value}, folder(config))
    return config.stash[_STORE]


def folder(config: pytest.Config) -> Path:
    """The folder where xdist's workers share answers. It is not created before it is needed."""
    if _FOLDER not in config.stash:
        # A name that nobody can guess: the folder of temporary files is shared.
        given = getattr(config, "workerinput", {}).get("v2vlint_folder")
        config.stash[_FOLDER] = Path(given) if given else Path(tempfile.gettempdir()) / f"v2vlint-{secrets.token_hex(16)}"
    return config.stash[_FOLDER]


def clean_up(config: pytest.Config) -> None:
    """Remove the answers, which may contain secrets of the guest."""
    if _FOLDER in config.stash:
        shutil.rmtree(config.stash[_FOLDER], ignore_errors=True)
