"""Which fixes are made together: what two of them write at one place, or in one block of fixed size, goes one after the other."""

from __future__ import annotations

from tests.facts.boot.grub.grub_samples import CFG, grubenv
from tests.facts.boot.test_bootloader import store
from v2vlint.facts.boot.command_lines import CommandLines
from v2vlint.fixing.plan import plan, rewrite
from v2vlint.model.fix import Applicability, Edit, Fix, ReplaceText
from v2vlint.model.place import Span

ENV = "/boot/grub/grubenv"
WISHES = {"root": ("/dev/sda1", "UUID=0123456789"), "resume": ("/dev/sda2", "UUID=9876543210")}


def fix(*edits: Edit) -> Fix:
    """A safe fix with these edits."""
    return Fix("repair it", Applicability.SAFE, edits)


def test_two_changes_of_one_environment_block_keep_its_size() -> None:
    files = {CFG: "load_env\nblscfg\n", "/boot/loader/entries/a.conf": "linux /k\noptions $kernelopts\n"}
    text = grubenv(kernelopts="root=/dev/sda1 resume=/dev/sda2 ro")
    rounds = 0
    while any(old in text for old, _new in WISHES.values()):
        lines = store({**files, ENV: text}).get(CommandLines)
        edits = (lines.replace_value(name, *wish) for name, wish in WISHES.items() if wish[0] in text)
        chosen = plan([fix(*one) for one in edits], Applicability.SAFE).chosen
        after = rewrite(dict.fromkeys(edit for one in chosen for edit in one.edits), {ENV: text}.get)[ENV][1]
        assert after is not None
        assert len(after) == 1024
        text, rounds = after, rounds + 1
    assert rounds == 2
    assert text == grubenv(kernelopts="root=UUID=0123456789 resume=UUID=9876543210 ro")


def test_texts_of_two_fixes_do_not_run_into_each_other() -> None:
    place = Span("/etc/mkinitcpio.conf", 9, 9, 1)
    one, other = fix(ReplaceText(place, "", "virtio_blk")), fix(ReplaceText(place, "", "xts"))
    planned = plan([one, other, one], Applicability.SAFE)
    assert planned.chosen == (one,)
    assert [held.reason for held in planned.held_back] == ["overlaps another fix"]


def test_a_line_is_commented_out_and_another_one_changed() -> None:
    comment = fix(ReplaceText(Span("/etc/fstab", 0, 0, 1), "", "# "))
    renamed = fix(ReplaceText(Span("/etc/fstab", 0, 9, 1), "/dev/sda1", "UUID=1"))
    assert plan([comment, renamed], Applicability.SAFE).held_back == ()
