"""The laws that hold of every report: over all sample guests and cases, all targets and a derived profile of each, and both movers.

``known.txt`` lists where they are broken today, one line for a guest and a fault: the guest, a tab, the fault. A line that no longer occurs
fails the test of its guest as much as a fault that is not listed: whoever mends one takes its line out.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from guestbuild.samples import HOME
from tests.laws.court import GUEST_IDS, Bench, derived, hear, judgements, opened, ref, targets
from tests.laws.laws import ANYWHERE, broken
from tests.laws.patched import patched
from v2vlint.engine import worker
from v2vlint.engine.protocol import CheckAsk, Judged
from v2vlint.fixing.prepare import prepare
from v2vlint.fixing.protocol import FixAsk, PreparedFix
from v2vlint.guest.fs import GuestFS
from v2vlint.model.codec import decode, encode
from v2vlint.model.finding import Finding, Mover
from v2vlint.model.report import ImageReport
from v2vlint.model.target import Target

_LINES = Path(__file__).with_name("known.txt").read_text(encoding="utf-8").splitlines()
KNOWN = {(guest, fault) for guest, fault in (line.split("\t") for line in _LINES)}
GUESTS = [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in GUEST_IDS]


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("name", GUESTS)
def test_the_laws_hold(name: str) -> None:
    found: dict[tuple[str, str], str] = {}
    for judgement in judgements(name):
        for fault in broken(judgement):
            found.setdefault((name, fault), judgement.target.name)
    assert {f"{fault} on {there}" for (guest, fault), there in found.items() if (guest, fault) not in KNOWN} == set()
    assert {fault for guest, fault in KNOWN if guest == name and (guest, fault) not in found} == set(), (
        "no longer broken: take the line out"
    )


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.parametrize("name", GUESTS)
def test_check_and_fix_select_the_same(name: str) -> None:
    """(d) What ``fix`` applies or holds back is what ``check`` finds with a fix; nothing else, and nothing less."""
    there = targets()[list(GUEST_IDS).index(name) % len(targets())]
    ask = CheckAsk(ref(name), (there,), Mover.RAW)
    checked, prepared = decode(Judged, worker.check(encode(ask))).image, decode(PreparedFix, prepare(encode(FixAsk(ask))))
    assert [(f.rule, f.where, f.severity) for f in _found(prepared.image)] == [(f.rule, f.where, f.severity) for f in _found(checked)]
    offered = {finding.fix.title: finding.fix for finding in _found(checked) if finding.fix}
    told = {chosen.title for chosen in prepared.chosen} | {held.title for held in prepared.held}
    assert told <= set(offered)
    done = {edit for chosen in prepared.chosen for edit in offered[chosen.title].edits}
    assert [title for title, fix in offered.items() if title not in told and not set(fix.edits) <= done] == []


def _found(image: ImageReport) -> list[Finding]:
    return [found.finding for _device, target in image.judged() for result in target.results for found in result.findings]


def test_the_list_is_in_order() -> None:
    assert sorted(set(_LINES)) == _LINES
    assert {guest for guest, _fault in KNOWN} <= set(GUEST_IDS)


def test_a_derived_profile_has_a_name_of_its_own() -> None:
    assert {derived(there).name for there in targets()} & {there.name for there in targets()} == set()


_FOLDERS = ("/etc", "/boot", "/efi", "/esp", "/usr/lib/systemd/network", "/usr/lib/udev", "/Windows/System32")
_WORDS = (
    (b"yes", b"no"),
    (b"auto", b"manual"),
    (b"UUID", b"LABEL"),
    (b"ens192", b"eth0"),
    (b"defaults", b"nofail"),
    (b"/boot", b""),
    (b"1", b"0"),
)


def _mutated(fs: GuestFS, draw: st.DrawFn) -> GuestFS:
    """The guest without a file, without a line of one, or with another word in one."""
    paths = sorted({path for top in _FOLDERS for path in fs.walk(top)})
    path = draw(st.sampled_from(paths))
    data = fs.read(path) or b""
    kind = draw(st.sampled_from(("file", "line", "word")))
    if kind == "file" or b"\0" in data[:512]:
        return patched(fs, {path: None})
    lines = data.splitlines(keepends=True) or [b""]
    number = draw(st.integers(0, len(lines) - 1))
    if kind == "line":
        return patched(fs, {path: b"".join(lines[:number] + lines[number + 1 :])})
    old, new = draw(st.sampled_from(_WORDS))
    return patched(fs, {path: b"".join([*lines[:number], lines[number].replace(old, new), *lines[number + 1 :]])})


@st.composite
def _scenes(draw: st.DrawFn) -> tuple[Bench, Target, Mover]:
    """A mutated sample guest, a target, and a mover."""
    guest = opened(draw(st.sampled_from([name for name, home in GUEST_IDS.items() if home == HOME])))
    root = draw(st.sampled_from(guest.roots))
    return Bench(guest, root, _mutated(root.fs, draw)), draw(st.sampled_from(targets())), draw(st.sampled_from(Mover))


@pytest.mark.slow
@pytest.mark.sweep
@pytest.mark.xdist_group("mutations")
@settings(max_examples=120, deadline=None, derandomize=True, phases=(Phase.generate,), suppress_health_check=list(HealthCheck))
@given(_scenes())
def test_the_laws_hold_when_a_guest_is_damaged(scene: tuple[Bench, Target, Mover]) -> None:
    """All but (f): a fault that nobody thought of is what the rule ``forecast`` is for."""
    bench, there, mover = scene
    known = {fault for _guest, fault in KNOWN}
    assert {fault for judgement in hear(bench, (there,), mover) for fault in broken(judgement, ANYWHERE)} - known == set()
