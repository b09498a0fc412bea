"""Excerpts, diffs and fingerprints."""

from __future__ import annotations

import pytest

from v2vlint.engine.present import MAX_LINES, MAX_WIDTH, Presenter
from v2vlint.guest.fs import GuestFS
from v2vlint.model.finding import Finding, Severity
from v2vlint.model.fix import Applicability, Fix, Rebuild, ReplaceText
from v2vlint.model.place import Device, Span, Where, WholeFile
from v2vlint.model.report import Excerpt, FindingReport
from v2vlint.samples.memory import memory_guest

PATH = "/etc/fstab"
TEXT = "# one\n# two\n# three\n/dev/sda1 / ext4 defaults 0 1\n# five\n# six\n# seven\n"


def place(text: str, word: str, path: str = PATH) -> Span:
    """The span of the first ``word`` in ``text``."""
    start = text.index(word)
    return Span(path, start, start + len(word), text.count("\n", 0, start) + 1, start - (text.rfind("\n", 0, start) + 1) + 1)


def present(where: Where, text: str = TEXT, *, fix: Fix | None = None, image: str = "a.qcow2", message: str = "m") -> FindingReport:
    """One finding at ``where``."""
    return Presenter(image).present(Finding("rule", Severity.ERROR, where, message, "e", fix), guest(text))


def guest(text: str) -> GuestFS:
    """A guest with that fstab."""
    return memory_guest({PATH: text})


def test_an_excerpt_is_the_line_and_two_around_it() -> None:
    assert present(place(TEXT, "/dev/sda1")).excerpt == Excerpt(
        PATH, 2, ("# two", "# three", "/dev/sda1 / ext4 defaults 0 1", "# five", "# six")
    )


@pytest.mark.parametrize("text", ["x", "x\n", "x\r\n"])
def test_an_excerpt_at_the_edges(text: str) -> None:
    excerpt = present(Span(PATH, 0, 1, 1, 1), text).excerpt
    assert excerpt is not None
    assert (excerpt.first, excerpt.lines[0]) == (1, "x")


def test_long_lines_and_long_spans_are_cut() -> None:
    text = "\n".join(["x" * 9999] * 99)
    excerpt = present(Span(PATH, 0, len(text), 1, 1), text).excerpt
    assert excerpt is not None
    assert len(excerpt.lines) <= MAX_LINES + 3
    assert {len(line) for line in excerpt.lines} == {MAX_WIDTH}


@pytest.mark.parametrize("where", [WholeFile(PATH), Device("disk1"), Span("/etc/none", 0, 1, 1)])
def test_what_has_no_text_has_no_excerpt(where: Where) -> None:
    assert present(where).excerpt is None


def test_the_diff_of_a_fix() -> None:
    where = place(TEXT, "/dev/sda1")
    fix = Fix("by UUID", Applicability.SAFE, (ReplaceText(where, "/dev/sda1", "UUID=1"), Rebuild("grub.cfg")))
    diff = present(where, fix=fix).diff
    assert "-/dev/sda1 / ext4 defaults 0 1\n+UUID=1 / ext4 defaults 0 1\n" in diff


def test_a_fix_that_no_longer_fits_has_no_diff() -> None:
    where = place(TEXT, "/dev/sda1")
    assert present(where, fix=Fix("x", Applicability.SAFE, (ReplaceText(where, "/dev/sdb1", "y"),))).diff == ""


def test_a_fingerprint_survives_shifted_lines_and_blanks() -> None:
    moved = "# new\n\n" + TEXT.replace("/dev/sda1 / ext4", "/dev/sda1   /  ext4")
    line = place(TEXT, "/dev/sda1 / ext4 defaults 0 1")
    assert present(line).fingerprint == present(place(moved, "/dev/sda1   /  ext4 defaults 0 1"), moved).fingerprint


def test_a_fingerprint_depends_on_image_path_and_evidence() -> None:
    other = TEXT.replace("sda1", "sdb1")
    prints = {
        present(place(TEXT, "/dev/sda1")).fingerprint,
        present(place(TEXT, "/dev/sda1"), image="b.qcow2").fingerprint,
        present(place(other, "/dev/sdb1"), other).fingerprint,
        present(WholeFile(PATH)).fingerprint,
        present(WholeFile(PATH), message="another").fingerprint,
        present(Device("disk1")).fingerprint,
    }
    assert len(prints) == 6


def test_equal_evidence_twice_gets_two_fingerprints() -> None:
    presenter, fs = Presenter("a.qcow2"), guest(TEXT)
    finding = Finding("rule", Severity.ERROR, place(TEXT, "/dev/sda1"), "m", "e")
    assert presenter.present(finding, fs).fingerprint != presenter.present(finding, fs).fingerprint
    assert Presenter("a.qcow2").present(finding, fs).fingerprint == Presenter("a.qcow2").present(finding, fs).fingerprint


def test_an_empty_span_stands_for_its_line() -> None:
    one, two = "alpha\nbeta\n", "gamma\nbeta\n"
    assert present(Span(PATH, 0, 0, 1, 1), one).fingerprint != present(Span(PATH, 0, 0, 1, 1), two).fingerprint
