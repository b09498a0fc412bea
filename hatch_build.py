"""The project's URLs, known where it is built: ``$V2VLINT_URL``, else the remote that this clone came from, when that is a web host.

A name written down here would be wrong in every fork, and anybody could take one that nobody owns yet.
"""

from __future__ import annotations

import configparser
import os
import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_REMOTE = re.compile(r"(?:https://(?:[^@/]*@)?|(?:ssh://)?git@)(?P<host>[\w.-]+\.\w+)[:/](?P<path>[\w./~-]+?)(?:\.git)?/?")


class ProjectUrls(MetadataHookInterface):
    """Fills in ``urls``, which pyproject.toml calls dynamic."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Add the URLs, when the home of the project is known."""
        home = os.environ.get("V2VLINT_URL", "").rstrip("/") or from_remote(Path(self.root))
        if home:
            metadata["urls"] = urls(home)


def urls(home: str) -> dict[str, str]:
    """The URLs of a project at ``home``, a repository's page."""
    tree = f"{home}/blob/main"
    return {
        "Homepage": home,
        "Documentation": os.environ.get("V2VLINT_DOCS_URL", "") or f"{tree}/docs/index.md",
        "Source": home,
        "Issues": f"{home}/issues",
        "Changelog": f"{tree}/CHANGELOG.md",
    }


def from_remote(root: Path) -> str:
    """The web page of git's remote ``origin``; empty for a clone of a folder, and outside a clone."""
    config = configparser.ConfigParser(strict=False, interpolation=None)
    try:
        config.read(root / ".git" / "config")
    except configparser.Error:
        return ""
    remote = config.get('remote "origin"', "url", fallback="")
    match = _REMOTE.fullmatch(remote)
    return f"https://{match['host']}/{match['path']}" if match else ""
