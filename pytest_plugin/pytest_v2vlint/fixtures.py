"""The fixtures: a guest per test, and a function to open one that the test run has built. Imports only pytest."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pytest_v2vlint import run
from pytest_v2vlint.run import store_of

if TYPE_CHECKING:
    from pytest_v2vlint.api import Guest


@pytest.fixture(scope="session")
def v2vlint_images(request: pytest.FixtureRequest) -> list[str]:
    """The images of ``--v2vlint`` and of the ini key. Override it in conftest.py to return the image that the test run builds, or, with
    ``params``, one of several."""
    return run.guests_of(request.config)


@pytest.fixture(scope="session")
def v2vlint_guest(request: pytest.FixtureRequest, v2vlint_images: object) -> Guest:
    """The guest of ``@pytest.mark.v2vlint(image=…, target=…, mover=…)``, else each of the module's ``v2vlint_images``, of ``--v2vlint`` and
    of the ini key, else the one that an overridden fixture ``v2vlint_images`` returns."""
    param = getattr(request, "param", ())
    asked = {"image": os.fspath(param)} if isinstance(param, str | os.PathLike) else dict(param)
    image = asked.get("image") or _only(v2vlint_images)
    if not image:
        pytest.fail("no guest: give --v2vlint IMAGE, the ini key v2vlint_images, or @pytest.mark.v2vlint(image=...)", pytrace=False)
    return _open(request.config, image, asked.get("target", ""), asked.get("mover", ""), asked.get("root", ""))


def _only(images: object) -> str:
    """The image that an overridden fixture returned."""
    found = [images] if isinstance(images, str | os.PathLike) else list(images) if isinstance(images, list | tuple) else []
    if len(found) > 1:
        pytest.fail("the fixture v2vlint_images returned several images: give it params, and return one of them", pytrace=False)
    return os.fspath(found[0]) if found else ""


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
