"""Plain data in formats that other projects define: JSON and TOML objects, including those of published schemas.

Code that reads such data checks each member on input and continues with its own types. Objects that only this project writes and reads are
dataclasses (:mod:`v2vlint.model.codec`) or TypedDicts. No other module spells these types out: tests/test_shape.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonObject = dict[str, Any]
"""An object with the members that its schema or its author gives it."""

Table = Mapping[str, Any]
"""A TOML table, or the settings that a caller passes in its place. Values are unchecked."""
