"""The ``[Match]`` section that .link and .network files share (systemd.link(5), systemd.network(5))."""

from __future__ import annotations

from v2vlint.facts.network.match import Condition, Key, Match, Term, systemd_terms
from v2vlint.facts.syntax.ini import words_of
from v2vlint.facts.syntax.systemd_unit import Unit
from v2vlint.model.place import Token

_KEYS = {
    Key.MAC: ("MACAddress", "PermanentMACAddress"), Key.PATH: ("Path",), Key.DRIVER: ("Driver",), Key.TYPE: ("Type",), Key.KIND: ("Kind",),
    Key.OTHER: ("Property", "Host", "Credential", "Firmware", "KernelCommandLine", "KernelVersion", "Version"),
}  # fmt: skip


def match_of(unit: Unit, names: Key) -> Match:
    """The conditions of a unit. ``names`` is what its ``Name=`` or ``OriginalName=`` compares with.

    Only ``Property=`` and its like, which ask for something else than the card, are left to chance; those of the host hold as they did.
    """
    keys = {names: ("Name",) if names is Key.ANY_NAME else ("OriginalName",), **_KEYS}
    found = ((key, name, unit.ini.all("Match", name)) for key, settings in keys.items() for name in settings)
    rows = ((key, name, _terms(values)) for key, name, values in found if values)
    return tuple(Condition(key, terms) for key, name, terms in rows if terms and (key is not Key.OTHER or name == "Property"))


def _terms(values: tuple[Token, ...]) -> tuple[Term, ...]:
    """A ``!`` in front of a value inverts all of its words; an empty value drops what was said before."""
    terms: list[Term] = []
    for value in values:
        words = words_of(value)
        if not words:
            terms = []
        elif words[0].value.startswith("!"):
            first, *rest = systemd_terms(words)
            terms += [first, *(Term(term.value, inverted=True, mandatory=True) for term in rest)]
        else:
            terms += map(Term, words)
    return tuple(terms)
