"""``v2vlint schema`` prints every schema that there is."""

from __future__ import annotations

import json

from tests.cli.conftest import Run
from tests.schemas import FOLDER
from v2vlint.cli.schema import FILES


def test_the_verb_prints_every_schema(v2vlint: Run) -> None:
    assert {path.name for path in FOLDER.glob("*.json")} == set(FILES.values())
    for name, file in FILES.items():
        done = v2vlint("schema", name)
        assert (done.returncode, json.loads(done.stdout)) == (0, json.loads((FOLDER / file).read_text("utf-8")))
