"""A value that is made late is the value."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from v2vlint.facts.registry import FactStore
from v2vlint.model.definition import Definition
from v2vlint.samples.definitions import sample_domain, sample_target, sample_vmx
from v2vlint.samples.later import later


def _counted() -> tuple[Definition, list[int]]:
    calls: list[int] = []

    def make() -> Definition:
        calls.append(1)
        return Definition("vmx", "name")

    return later(Definition, make), calls


def test_it_is_made_once_when_it_is_looked_at() -> None:
    value, calls = _counted()
    assert isinstance(value, Definition)
    assert calls == []
    assert (value.where, value.source, type(value)) == ("name", "vmx", Definition)
    assert calls == [1]


LOOKS = [repr, hash, copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value)), dataclasses.replace]


@pytest.mark.parametrize("look", LOOKS)
def test_whoever_looks(look: object) -> None:
    value, calls = _counted()
    assert look(value) == look(Definition("vmx", "name"))  # type: ignore[operator]
    assert calls == [1]


def test_either_side_of_a_comparison() -> None:
    assert _counted()[0] == Definition("vmx", "name")
    assert Definition("vmx", "name") == _counted()[0]
    assert sample_domain("") == sample_domain("")


def test_a_store_knows_it_by_its_class() -> None:
    value, _calls = _counted()
    assert FactStore((value,)).get(Definition) is value
    assert FactStore((sample_target(firmware=("uefi",)),)).with_given(sample_vmx("")).get(Definition).source == "vmx"
