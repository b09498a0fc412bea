"""A guest tree and one filesystem of it, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.disk.images import Tree, ext, host_tree, make_tree


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that looks like a Debian root."""
    return make_tree(tmp_path_factory.mktemp("tree") / "root")


@pytest.fixture(scope="session")
def wanted(tree: Path) -> Tree:
    """What is in it."""
    return host_tree(tree)


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory, tree: Path) -> Path:
    """A raw ext4 filesystem of it."""
    return ext(tmp_path_factory.mktemp("plain") / "plain.raw", tree)
