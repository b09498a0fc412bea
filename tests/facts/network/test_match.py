"""The algebra of matches: AND over keys, alternatives within one, inversion, three answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from v2vlint.facts.network.match import Card, Condition, MatchKey, Survival, Term, any_of, fits, nm_term, systemd_terms
from v2vlint.model.place import Span, Token

KEPT, UNSURE, LOST = Survival.KEPT, Survival.UNSURE, Survival.LOST
CARD = Card(("enp1s0",), "eth0", ("virtio_net", "virtio_pci"), "0000:01:00.0", "52:54:00:12:34:56", altnames=("ens1",))


def tokens(text: str) -> tuple[Token, ...]:
    return tuple(Token(word, Span("/f", 0, len(word), 1)) for word in text.split())


@pytest.mark.parametrize(
    ("key", "words", "answer"),
    [
        (MatchKey.DRIVER, "vmxnet3 virtio_net hv_netvsc", KEPT),
        (MatchKey.DRIVER, "vmxnet3 hv_netvsc", LOST),
        (MatchKey.DRIVER, "!veth", KEPT),
        (MatchKey.DRIVER, "!veth !virtio_net", LOST),
        (MatchKey.DRIVER, "virtio_*", KEPT),
        (MatchKey.TYPE, "!loopback !dummy", KEPT),
        (MatchKey.KIND, "!*", KEPT),
        (MatchKey.NAME, "ens192 enp1s0 eth0", KEPT),
        (MatchKey.NAME, "ens1", LOST),
        (MatchKey.ANY_NAME, "ens1", KEPT),
        (MatchKey.ANY_NAME, "!ens1", KEPT),
        (MatchKey.ANY_NAME, "!enp1s0 !ens1", LOST),
        (MatchKey.MAC, "00:50:56:00:00:01 52:54:00:12:34:56", KEPT),
        (MatchKey.PATH, "pci-0000:0b:00.0 pci-0000:01:*", KEPT),
        (MatchKey.OTHER, "ID_MODEL=x", UNSURE),
    ],
)
def test_systemd_lists(key: MatchKey, words: str, answer: Survival) -> None:
    """net-condition.c: any positive one, none of the inverted ones."""
    assert fits((Condition(key, systemd_terms(tokens(words))),), CARD) is answer


@pytest.mark.parametrize(
    ("words", "fit"),
    [
        ("en*", True), ("ens* enp*", True), ("!docker*", True), ("&!docker* |en*", True), ("&en* &*p9*", False), ("!enp1s0 en*", False),
        ("|!enp1s0 ens*", False), ("|!docker0 ens*", True), ("ens192", False), ("!ens*", True),
    ],
)  # fmt: skip
def test_networkmanager_lists(words: str, fit: bool) -> None:
    """nm_wildcard_match_check: alternatives, mandatory ones, inverted ones that are mandatory unless they say otherwise."""
    assert fits((Condition(MatchKey.NAME, tuple(map(nm_term, tokens(words)))),), CARD) is (KEPT if fit else LOST)


def test_keys_are_joined_by_and_and_what_is_not_known_is_unsure() -> None:
    somewhere = Card(("ens5", "eth0"), drivers=("ena",), at=None)
    assert fits((*any_of(MatchKey.NAME, tokens("ens*")), *any_of(MatchKey.DRIVER, tokens("ena"))), somewhere) is UNSURE
    assert fits((*any_of(MatchKey.NAME, tokens("ens*")), *any_of(MatchKey.DRIVER, tokens("vmxnet3"))), somewhere) is LOST
    assert fits(any_of(MatchKey.PATH, tokens("pci-0000:00:05.0")), somewhere) is UNSURE
    assert fits(any_of(MatchKey.PATH, tokens("platform-*")), somewhere) is LOST
    assert fits((), somewhere) is KEPT


@given(st.lists(st.sampled_from(["en*", "ens192", "enp1s0", "*"]), max_size=4), st.sampled_from(["enp1s0", "eth0", "ens192"]))
def test_inverting_every_word_inverts_the_list(words: list[str], name: str) -> None:
    if words:
        plain = Condition(MatchKey.NAME, tuple(map(Term, tokens(" ".join(words)))))
        inverted = Condition(MatchKey.NAME, systemd_terms(tokens(" ".join(f"!{word}" for word in words))))
        assert plain.holds_for(name) is not inverted.holds_for(name)


def test_an_inverted_name_fits_by_an_alternative_name() -> None:
    """Seen in a guest that booted: networkd configures ens3, which is also called enp0s3, by ``Name=!ens3``."""
    condition = Condition(MatchKey.ANY_NAME, systemd_terms(tokens("!ens3")))
    assert fits((condition,), Card(("ens3",), altnames=("enp0s3",))) is Survival.KEPT
    assert fits((condition,), Card(("ens3",))) is Survival.LOST
