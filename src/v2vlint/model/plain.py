"""Plain data of a form that this project does not define: JSON and TOML objects of others, and of published schemas.

Whoever reads one checks each member where the data comes in and goes on with types of their own. Objects that only this project writes
and reads are dataclasses (:mod:`v2vlint.model.codec`) or TypedDicts. No other module spells these types out: tests/test_shape.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonObject = dict[str, Any]
"""An object with the members that its schema or its author gives it."""

Table = Mapping[str, Any]
"""A TOML table, or the settings that a caller passes in its place. Values are unchecked."""
