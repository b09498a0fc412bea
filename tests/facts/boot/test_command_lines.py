"""Changing an argument wherever it is written: live entries, environment block, generators."""

from __future__ import annotations

from tests.facts.boot.grub.grub_samples import CFG, grubenv
from tests.facts.boot.test_bootloader import store
from v2vlint.facts.boot.command_lines import CommandLines
from v2vlint.facts.boot.grub.default import GrubDefaults
from v2vlint.fixing.plan import rewrite
from v2vlint.model.rule import Link
from v2vlint.samples.memory import memory_guest

LINE = "menuentry a {{\n linux /k root={0} ro\n initrd /i\n}}\n"


def _after(files: dict[str, str], name: str, old: str, new: str) -> dict[str, str | None]:
    lines = store(files).get(CommandLines)
    guest = memory_guest(files)
    edits = lines.replace_value(name, old, new)
    changes = rewrite(edits, lambda path: text.content if (text := guest.text(path)) else None)
    return {path: after for path, (_before, after) in changes.items()}


def test_all_places_change_together() -> None:
    files = {
        CFG: LINE.format("/dev/sda1") * 2,
        "/etc/default/grub": "GRUB_CMDLINE_LINUX='root=/dev/sda1'\n",
        "/etc/default/grub.d/x.cfg": 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX quiet"\n',
        "/etc/kernel/cmdline": "root=/dev/sda1\n",
    }
    assert _after(files, "root", "/dev/sda1", "UUID=1") == {
        CFG: LINE.format("UUID=1") * 2,
        "/etc/default/grub": "GRUB_CMDLINE_LINUX='root=UUID=1'\n",
        "/etc/kernel/cmdline": "root=UUID=1\n",
    }


def test_the_environment_block_keeps_its_size() -> None:
    files = {CFG: "load_env\nblscfg\n", "/boot/loader/entries/a.conf": "linux /k\noptions $kernelopts\n"}
    longer = _after({**files, "/boot/grub/grubenv": grubenv(kernelopts="root=/dev/sda1 ro")}, "root", "/dev/sda1", "UUID=0123456789")
    assert longer == {"/boot/grub/grubenv": grubenv(kernelopts="root=UUID=0123456789 ro")}
    shorter = _after({**files, "/boot/grub/grubenv": grubenv(kernelopts="root=/dev/sda1 ro")}, "root", "/dev/sda1", "X=1")
    assert shorter == {"/boot/grub/grubenv": grubenv(kernelopts="root=X=1 ro")}
    same = _after({**files, "/boot/grub/grubenv": grubenv(kernelopts="root=/dev/sda1 ro")}, "root", "/dev/sda1", "UUID=1234")
    assert same == {"/boot/grub/grubenv": grubenv(kernelopts="root=UUID=1234 ro")}


def test_a_full_environment_block_is_left_alone() -> None:
    files = {CFG: "load_env\nblscfg\n", "/boot/loader/entries/a.conf": "linux /k\noptions $kernelopts\n"}
    full = "# GRUB Environment Block\nkernelopts=root=/dev/sda1 "
    assert _after({**files, "/boot/grub/grubenv": full.ljust(1023, "x") + "\n"}, "root", "/dev/sda1", "UUID=0123456789") == {}


def test_a_block_of_another_size_has_no_padding_to_keep() -> None:
    files = {CFG: "load_env\nblscfg\n", "/boot/loader/entries/a.conf": "linux /k\noptions $kernelopts\n"}
    odd = "# GRUB Environment Block\nkernelopts=root=/dev/sda1\n"
    assert _after({**files, "/boot/grub/grubenv": odd}, "root", "/dev/sda1", "X") == {"/boot/grub/grubenv": odd.replace("/dev/sda1", "X")}


def test_a_place_that_cannot_be_edited_spoils_the_change() -> None:
    files = {CFG: "set d=/dev/sda\nmenuentry a {\n linux /k root=${d}1\n}\n", "/etc/kernel/cmdline": "root=/dev/sda1\n"}
    lines = store(files).get(CommandLines)
    assert len(lines.uses("root", "/dev/sda1")) == 2
    assert lines.replace_value("root", "/dev/sda1", "UUID=1") == ()
    assert lines.append(dict.fromkeys(lines.live, " x")) == ()


def test_arguments_are_replaced_and_added() -> None:
    files = {CFG: LINE.format("/dev/sda1 resume=/dev/sda2")}
    lines = store(files).get(CommandLines)
    guest = memory_guest(files)
    edits = (*lines.replace_arg("resume", "/dev/sda2", "noresume"), *lines.append({lines.live[-1]: " quiet"}))
    changes = rewrite(edits, lambda path: text.content if (text := guest.text(path)) else None)
    assert changes[CFG][1] == LINE.format("/dev/sda1 noresume").replace(" ro\n", " ro quiet\n")


def test_added_text_comes_out_of_the_padding() -> None:
    files = {CFG: "load_env\nblscfg\n", "/boot/loader/entries/a.conf": "linux /k\noptions $kernelopts\n"}
    lines = store({**files, "/boot/grub/grubenv": grubenv(kernelopts="ro")}).get(CommandLines)
    assert [len(edit.expect) - len(edit.text) for edit in lines.append(dict.fromkeys(lines.live, " quiet"))] == [-6, 6]


def test_other_generators() -> None:
    legacy = "# kopt=root=/dev/hda1 ro\n# defoptions=quiet\ntitle a\n kernel /k root=/dev/hda1\n"
    alpine = 'root=/dev/hda1\ndefault_kernel_opts="quiet rootfstype=ext4"\n'
    files = {
        "/boot/grub/menu.lst": legacy,
        "/etc/update-extlinux.conf": alpine,
        "/etc/default/extlinux": 'EXTLINUX_ROOT="root=/dev/hda1"\n',
    }
    lines = store(files).get(CommandLines)
    assert [str(arg) for arg in lines.sources] == [
        "root=/dev/hda1", "ro", "quiet", "quiet", "rootfstype=ext4", "root=/dev/hda1", "root=/dev/hda1",
    ]  # fmt: skip
    assert len(lines.replace_value("root", "/dev/hda1", "UUID=1")) == 4


def test_the_last_assignment_wins_with_its_parts() -> None:
    files = {
        "/etc/default/grub": (
            "# GRUB_DEFAULT=9\nGRUB_DEFAULT=saved\nGRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n"
            'export GRUB_CMDLINE_LINUX="a=1 \\\n b=\\"x y\\""\nGRUB_CMDLINE_LINUX+=" c$NOTHING"\n'
        ),
        "/etc/default/grub.d/50-cloud.cfg": 'GRUB_CMDLINE_LINUX="$GRUB_CMDLINE_LINUX console=ttyS0"\nGRUB_DEFAULT=0\n',
        "/etc/default/grub.d/readme": "GRUB_DEFAULT=5\n",
        "/etc/sysconfig/bootloader": 'DEFAULT_APPEND="resume=/dev/sda2"\n',
        "/etc/sysconfig/grub": "boot=/dev/sda\n",
    }
    found = store(files).get(GrubDefaults)
    assert found.value("GRUB_DEFAULT") == "0"
    assert [str(arg) for arg in found.args] == ["a=1", "b=x y", "c", "console=ttyS0", "resume=/dev/sda2"]
    assert [arg.where.path for arg in found.args][2:4] == ["/etc/default/grub", "/etc/default/grub.d/50-cloud.cfg"]  # type: ignore[union-attr]
    setting = found.get("GRUB_CMDLINE_LINUX")
    assert setting is not None
    assert (setting.value_at, str(setting.where)) == (None, "/etc/default/grub.d/50-cloud.cfg:1:20")
    assert (found.get("NOTHING"), found.value("NOTHING"), found.value("boot")) == (None, "", "/dev/sda")
    assert [(one.name, one.is_arguments) for one in found.untold] == [("GRUB_DISTRIBUTOR", False)]


def test_settings_under_a_condition_cannot_be_told() -> None:
    text = 'GRUB_CMDLINE_LINUX="quiet"\nif [ -e /x ]; then GRUB_CMDLINE_LINUX="root=/dev/sda1"; fi\nGRUB_TIMEOUT=5\n'
    found = store({"/etc/default/grub": text}).get(GrubDefaults)
    assert [(one.name, one.is_arguments) for one in found.untold] == [("GRUB_CMDLINE_LINUX", True)]
    assert (found.get("GRUB_CMDLINE_LINUX"), found.value("GRUB_TIMEOUT")) == (None, "5")
    broken = {"/etc/default/grub": "GRUB_TIMEOUT=5\n", "/etc/sysconfig/bootloader": "LOADER='\n"}
    assert store(broken).get(GrubDefaults).value("GRUB_TIMEOUT") == "5"
    bash = {"/etc/default/grub": "GRUB_CMDLINE_LINUX+=quiet\n"}
    assert store(bash).get(GrubDefaults).value("GRUB_CMDLINE_LINUX") == "quiet"
    assert store({**bash, "/bin/dash": "", "/bin/sh": Link("dash")}).get(GrubDefaults).untold


def test_a_linked_sysconfig_is_read_once() -> None:
    found = store({"/etc/default/grub": "A=1\n", "/etc/sysconfig/grub": Link("../default/grub")}).get(GrubDefaults)
    assert found.files == ("/etc/default/grub",)


def test_settings_of_extlinux_are_read_as_the_shell_reads_them() -> None:
    files = {"/etc/default/extlinux": "EXTLINUX_ROOT='root=/dev/sda1' EXTLINUX_PARAMETERS=quiet\nLANG=C true EXTLINUX_ROOT=x\n"}
    assert list(map(str, store(files).get(CommandLines).sources)) == ["root=/dev/sda1", "quiet"]
