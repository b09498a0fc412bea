"""The fixtures: a guest per test, and a way to open one that the test run has built itself. Imports only pytest."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pytest_v2vlint.run import store_of

if TYPE_CHECKING:
    from pytest_v2vlint.api import Guest


@pytest.fixture(scope="session")
def v2vlint_guest(request: pytest.FixtureRequest) -> Guest:
    """The guest of ``@pytest.mark.v2vlint(image=…, target=…, mover=…)``, else each of ``--v2vlint`` and ``v2vlint_images``."""
    asked = dict(getattr(request, "param", ()))
    if not asked.get("image"):
        pytest.fail("no guest: give --v2vlint IMAGE, the ini key v2vlint_images, or @pytest.mark.v2vlint(image=...)", pytrace=False)
    return _open(request.config, asked["image"], asked.get("target", ""), asked.get("mover", ""), asked.get("root", ""))


@pytest.fixture(scope="session")
def v2vlint_open(request: pytest.FixtureRequest) -> Callable[..., Guest]:
    """A function that opens a guest: ``v2vlint_open("build/web.qcow2", target="azure")``, also with ``mover`` and ``root``."""

    def open_guest(image: str, *, target: str = "", mover: str = "", root: str = "") -> Guest:
        return _open(request.config, str(image), target, mover, root)

    return open_guest


def _open(config: pytest.Config, image: str, target: str, mover: str, root: str) -> Guest:
    from pytest_v2vlint.api import Guest
    from v2vlint.model.errors import V2vlintError

    store = store_of(config)
    try:
        found = store.guests(image)
    except V2vlintError as error:
        pytest.fail(f"{error}{f' ({error.hint})' if error.hint else ''}", pytrace=False)
    if len(found) != 1:
        pytest.fail(f"{image} names {len(found)} guests; name one", pytrace=False)
    return Guest(store, found[0], target=target, mover=mover, root=root)
