"""Facts on demand: providers are registered by their return type, and run once per guest, when first needed."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

from v2vlint.guest.budget import spending
from v2vlint.model.errors import FactFailed, FactUnavailable

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., object])

_PROVIDERS: list[Callable[..., object]] = []


def provides(provider: F) -> F:
    """Register ``provider`` for the type it returns. Its parameters are the facts (or the ``GuestFS``) it needs, by annotation."""
    _PROVIDERS.append(provider)
    _by_type.cache_clear()
    _rests_on.cache_clear()
    return provider


@functools.cache
def _by_type() -> dict[Any, Callable[..., object]]:
    table: dict[Any, Callable[..., object]] = {}
    for provider in _PROVIDERS:
        kind = _evaluated(provider, "return")
        if kind in table:
            raise TypeError(f"two providers for {kind.__name__}: {table[kind].__module__} and {provider.__module__}")
        table[kind] = provider
    return table


@functools.cache
def needs(function: Callable[..., object]) -> Mapping[str, type]:
    """The fact types that a provider or a rule's ``check`` needs, by parameter name; of ``Kind | None`` the kind."""
    return {name: _kind(_evaluated(function, name)) for name in function.__annotations__ if name not in ("return", "self")}


def _evaluated(function: Callable[..., object], name: str) -> Any:
    """An annotation. Nearly all are plain names, which need no evaluation: that of a thousand of them is a tenth of a check."""
    note = function.__annotations__[name]
    found = inspect.unwrap(function).__globals__.get(note) if isinstance(note, str) else note
    return typing.get_type_hints(function)[name] if found is None else found


def _kind(hint: Any) -> Any:
    return next((kind for kind in typing.get_args(hint) if kind is not type(None)), hint) if isinstance(hint, types.UnionType) else hint


@functools.cache
def _optional(function: Callable[..., object]) -> frozenset[str]:
    """The parameters that are None if their fact cannot be known."""
    return frozenset(name for name in needs(function) if isinstance(_evaluated(function, name), types.UnionType))


@functools.cache
def _rests_on(kind: Any, bases: frozenset[Any]) -> bool:
    provider = _by_type().get(kind)
    return kind in bases or kind is FactStore or (provider is not None and any(_rests_on(need, bases) for need in needs(provider).values()))


def rests_only_on(kind: Any, bases: frozenset[Any]) -> bool:
    """Whether the fact ``kind`` is one of ``bases``, or is derived only from them."""
    provider = _by_type().get(kind)
    return kind in bases or (provider is not None and all(rests_only_on(need, bases) for need in needs(provider).values()))


class FactStore:
    """The facts of one root. ``given`` values (guest files, block table, target…) are supplied; others are parsed on first request.

    Each is parsed only once, within a budget, even if that fails.
    """

    def __init__(self, given: Iterable[object] = ()) -> None:
        self._given: dict[Any, object] = {value.__class__: value for value in given}
        self._known: dict[Any, object] = dict(self._given)

    def get(self, kind: type[T]) -> T:
        """The fact of type ``kind``; FactUnavailable (every time) when it cannot be known, FactFailed when its parser crashed.

        The store itself can be requested as a fact.
        """
        if kind is FactStore:
            return typing.cast(T, self)
        if kind not in self._known:
            self._known[kind] = self._provide(kind)
        value = self._known[kind]
        if isinstance(value, FactUnavailable):
            raise value.with_traceback(None)  # one object raised for every question: its traceback would grow
        return typing.cast(T, value)

    def with_given(self, *values: object) -> FactStore:
        """A store with ``values`` replacing those given before (another target), keeping parsed facts that do not depend on them."""
        replaced = {value.__class__: value for value in values}
        store = FactStore({**self._given, **replaced}.values())
        for kind, value in self._known.items():
            if kind not in store._known and not _rests_on(kind, frozenset(replaced)):
                store._known[kind] = value
        return store

    def arguments(self, function: Callable[..., object]) -> dict[str, object]:
        """Keyword arguments for ``function``. A fact that it asks for as ``Kind | None`` is None where it cannot be known."""
        optional = _optional(function)
        return {name: self._or_none(kind) if name in optional else self.get(kind) for name, kind in needs(function).items()}

    def _or_none(self, kind: type[T]) -> T | None:
        try:
            return self.get(kind)
        except FactUnavailable:
            return None

    def call(self, function: Callable[..., T]) -> T:
        """What ``function`` makes of the facts it asks for; for providers that need them in some cases only."""
        return function(**self.arguments(function))

    def _provide(self, kind: Any) -> object:
        provider = _by_type().get(kind)
        if provider is None:
            raise TypeError(f"no fact provider for {kind!r}")
        try:
            arguments = self.arguments(provider)
            with spending():
                return provider(**arguments)
        except FactUnavailable as reason:
            return reason
        except Exception as error:
            return FactFailed(f"reading {kind.__name__}", error)
