"""Generators: what limits them, what they are told to hold, and the edit that tells them more."""

from __future__ import annotations

import contextlib

import pytest

from tests.facts.guests import HOSTILE, Files, at, edited, fact
from v2vlint.facts.initramfs.config import InitramfsConfig
from v2vlint.facts.initramfs.generator import GeneratorConfig
from v2vlint.facts.syntax.conf_vars import conf_vars
from v2vlint.guest.text import GuestText
from v2vlint.model.errors import FactUnavailable
from v2vlint.model.fix import ReplaceText, WriteFile

TOOLS: Files = {"/usr/sbin/mkinitramfs": ""}
DRACUT: Files = {"/usr/bin/dracut": ""}
MKINITCPIO: Files = {"/usr/bin/mkinitcpio": ""}
BOOSTER: Files = {"/usr/bin/booster": ""}
SUSE: Files = {"/sbin/mkinitrd": "", "/lib/mkinitrd/scripts/setup-done.sh": ""}
NAMES = "/etc/initramfs-tools/modules"
CONF = "/etc/initramfs-tools/initramfs.conf"


def _config(name: str, files: Files) -> GeneratorConfig:
    found = fact(InitramfsConfig, files).of(name)
    assert found is not None
    return found


def test_assignments() -> None:
    text = 'A=1\nexport B="x y"\nC=(a "b c" # no\n  d)\n# D=2\nB+=" z"\nA= # empty\nC=\'q\'\n  E=v;\n'
    found = conf_vars([GuestText("/x", text), None])
    assert [(var.name, var.adds, [word.value for word in var.words]) for var in found.vars] == [
        ("A", False, ["1"]),
        ("B", False, ["x", "y"]),
        ("C", False, ["a", "b c", "d"]),
        ("B", True, ["z"]),
        ("A", False, []),
        ("C", False, ["q"]),
        ("E", False, ["v"]),
    ]
    assert [word.value for word in found.words("B")] == ["x", "y", "z"]
    assert [word.value for word in found.words("C")] == ["q"]
    assert found.last("N") is None
    assert found.files == ("/x",)


@pytest.mark.parametrize(
    ("name", "files", "limit"),
    [
        ("initramfs-tools", {**TOOLS, CONF: "MODULES=most\n"}, "-"),
        ("initramfs-tools", {**TOOLS, CONF: "MODULES=dep\n"}, "MODULES=dep@1:9"),
        (
            "initramfs-tools",
            {**TOOLS, CONF: "MODULES=most\n", "/etc/initramfs-tools/conf.d/driver-policy": "\nMODULES=dep\n"},
            "MODULES=dep@2:9",
        ),
        (
            "initramfs-tools",
            {**TOOLS, CONF: "MODULES=dep\n", "/etc/initramfs-tools/conf.d/x.dpkg-old": "MODULES=most\n"},
            "MODULES=dep@1:9",
        ),
        ("dracut", DRACUT, "-"),
        ("dracut", {**DRACUT, "/usr/lib/dracut/dracut.conf.d/01-dist.conf": 'hostonly="yes"\n'}, "hostonly=yes@1:11"),
        (
            "dracut",
            {**DRACUT, "/usr/lib/dracut/dracut.conf.d/01-dist.conf": 'hostonly="yes"\n', "/etc/dracut.conf.d/01-dist.conf": "\n"},
            "-",
        ),
        (
            "dracut",
            {**DRACUT, "/usr/lib/dracut/dracut.conf.d/01-dist.conf": 'hostonly="yes"\n', "/etc/dracut.conf.d/9.conf": "hostonly=no\n"},
            "-",
        ),
        ("dracut", {**DRACUT, "/usr/lib/dracut/dracut.conf.d/hostonly/50.conf": 'hostonly="yes"\n'}, "-"),
        ("dracut", {**DRACUT, "/etc/dracut.conf": 'drivers+=" ahci "\n'}, "drivers lists all drivers@1:11"),
        (
            "mkinitcpio",
            {**MKINITCPIO, "/etc/mkinitcpio.conf": "HOOKS=(base udev autodetect microcode block filesystems)\n"},
            "the hook autodetect before block@1:18",
        ),
        ("mkinitcpio", {**MKINITCPIO, "/etc/mkinitcpio.conf": "HOOKS=(base udev block autodetect filesystems)\n"}, "-"),
        ("mkinitcpio", {**MKINITCPIO, "/etc/mkinitcpio.conf": "HOOKS=(base udev block)\n"}, "-"),
        ("booster", BOOSTER, "universal is not true@/etc/booster.yaml"),
        ("booster", {**BOOSTER, "/etc/booster.yaml": "universal: true\n"}, "-"),
        ("suse-mkinitrd", {**SUSE, "/etc/sysconfig/kernel": 'X=1\nINITRD_MODULES="ahci"\n'}, "INITRD_MODULES@2:1"),
        ("mkinitrd", {"/sbin/mkinitrd": ""}, "-"),
    ],
)
def test_what_limits_a_generator_to_one_machine(name: str, files: Files, limit: str) -> None:
    found = _config(name, files)
    assert found.installed
    place = found.host_only.where if found.host_only else None
    assert (f"{found.host_only.text}@{at(place)}" if found.host_only else "-") == limit


@pytest.mark.parametrize(
    ("name", "files", "missing"),
    [
        ("initramfs-tools", {NAMES: "# virtio_blk\nvirtio-blk foo=1\n;x\n"}, ["virtio_pci"]),
        ("dracut", {"/etc/dracut.conf": 'add_drivers+=" virtio_blk.ko "\nforce_drivers+=" virtio-pci "\n'}, []),
        ("dracut", {"/etc/dracut.conf": 'add_drivers+=" virtio_blk "\nadd_drivers=" xfs "\n'}, ["virtio_blk", "virtio_pci"]),
        ("dracut", {"/usr/lib/dracut/dracut-version.sh": "DRACUT_VERSION='110'\n"}, []),
        (
            "dracut",
            {"/usr/lib/dracut/dracut-version.sh": "DRACUT_VERSION=110\n", "/etc/dracut.conf": "hostonly_mode=strict\n"},
            ["virtio_blk", "virtio_pci"],
        ),
        ("mkinitcpio", {"/etc/mkinitcpio.conf.d/x.conf": "MODULES+=(virtio_blk?)\n"}, ["virtio_pci"]),
        ("booster", {"/etc/booster.yaml": "modules: virtio_blk,nvme # x\nmodules_force_load: virtio_pci\n"}, []),
        ("suse-mkinitrd", {**SUSE, "/etc/sysconfig/kernel": 'INITRD_MODULES="virtio_blk"\n'}, ["virtio_pci"]),
    ],
)
def test_what_no_setting_names(name: str, files: Files, missing: list[str]) -> None:
    assert list(_config(name, files).missing(["virtio-blk", "virtio_pci", "virtio_blk"])) == missing


@pytest.mark.parametrize(
    ("name", "files", "path", "after"),
    [
        ("initramfs-tools", {NAMES: "# x\n"}, NAMES, "# x\nnvme\nahci\n"),
        ("initramfs-tools", {NAMES: "nvme"}, NAMES, "nvme\nahci\n"),
        ("initramfs-tools", {}, NAMES, "nvme\nahci\n"),
        ("dracut", {}, "/etc/dracut.conf.d/90-v2vlint.conf", 'add_drivers+=" nvme ahci "\n'),
        (
            "dracut",
            {"/etc/dracut.conf.d/90-v2vlint.conf": 'add_drivers+=" nvme "\n'},
            "/etc/dracut.conf.d/90-v2vlint.conf",
            'add_drivers+=" nvme "\nadd_drivers+=" ahci "\n',
        ),
        (
            "mkinitcpio",
            {"/etc/mkinitcpio.conf": "MODULES=()\nHOOKS=(base)\n"},
            "/etc/mkinitcpio.conf",
            "MODULES=(nvme ahci)\nHOOKS=(base)\n",
        ),
        ("mkinitcpio", {"/etc/mkinitcpio.conf": "MODULES=(xfs)\n"}, "/etc/mkinitcpio.conf", "MODULES=(xfs nvme ahci)\n"),
        ("mkinitcpio", {"/etc/mkinitcpio.conf": "HOOKS=(base)\n"}, "/etc/mkinitcpio.conf.d/v2vlint.conf", "MODULES+=(nvme ahci)\n"),
        ("booster", {}, "/etc/booster.yaml", "modules: nvme,ahci\n"),
        ("booster", {"/etc/booster.yaml": "universal: false"}, "/etc/booster.yaml", "universal: false\nmodules: nvme,ahci\n"),
        ("booster", {"/etc/booster.yaml": "modules: xfs\nx: 1\n"}, "/etc/booster.yaml", "modules: xfs,nvme,ahci\nx: 1\n"),
        (
            "suse-mkinitrd",
            {**SUSE, "/etc/sysconfig/kernel": 'INITRD_MODULES="x"\n'},
            "/etc/sysconfig/kernel",
            'INITRD_MODULES="x nvme ahci"\n',
        ),
    ],
)
def test_the_edit_that_keeps_modules(name: str, files: Files, path: str, after: str) -> None:
    (edit,) = _config(name, files).keep(["nvme", "ahci"])
    if isinstance(edit, WriteFile):
        assert (edit.path, edit.text) == (path, after)
    else:
        assert isinstance(edit, ReplaceText)
        assert edited(files, (edit,), path) == after
    again = _config(name, {**files, path: after})
    assert again.missing(["nvme", "ahci"]) == ()
    assert again.keep(["nvme", "ahci"]) == ()


def test_unknown_generators_get_no_edit() -> None:
    assert _config("make-initrd", {"/usr/sbin/make-initrd": ""}).keep(["nvme"]) == ()


def test_what_is_left_out() -> None:
    omitted = _config("dracut", {"/etc/dracut.conf": 'omit_drivers+=" a b "\n'}).omitted
    assert [at(token) for token in omitted] == ["a@1:17", "b@1:19"]
    forced = {"/etc/dracut.conf": 'omit_drivers+=" a-x b "\nforce_drivers+=" a_x "\n'}
    assert [token.value for token in _config("dracut", forced).omitted] == ["b"]
    assert [token.value for token in _config("booster", {"/etc/booster.yaml": "modules: a,-b\n"}).omitted] == ["-b"]


def test_the_generator_of_an_image() -> None:
    both = fact(InitramfsConfig, {**TOOLS, **DRACUT})
    assert [generator.name for generator in both.installed] == ["initramfs-tools", "dracut"]
    made = both.for_image("dracut")
    assert made is not None
    assert made.name == "dracut"
    other = fact(InitramfsConfig, TOOLS).for_image("dracut")
    assert other is not None
    assert other.name == "initramfs-tools"
    bare = fact(InitramfsConfig, {}).for_image("dracut")
    assert bare is not None
    assert not bare.installed
    assert fact(InitramfsConfig, {}).for_image("unheard-of") is None


def test_dracut_s_own_mkinitrd_is_no_generator() -> None:
    assert not _config("mkinitrd", {"/sbin/mkinitrd": "", **DRACUT}).installed


@pytest.mark.parametrize("content", [*HOSTILE, 'X="' + "\\" * 9999, "X=(" * 999])
def test_any_bytes_are_a_configuration(content: str) -> None:
    paths = (CONF, NAMES, "/etc/dracut.conf", "/etc/mkinitcpio.conf", "/etc/booster.yaml", "/etc/sysconfig/kernel")
    with contextlib.suppress(FactUnavailable):  # a syntax error in the settings of an installed one
        config = fact(InitramfsConfig, {**dict.fromkeys(paths, content), "/usr/lib/dracut/dracut-version.sh": content, **TOOLS})
        assert config.installed[0].name == "initramfs-tools"


def test_settings_that_cannot_be_told_are_unknown_where_they_are_read() -> None:
    unclear = {CONF: "[ -e /x ] && MODULES=dep\n"}
    assert fact(InitramfsConfig, unclear).of("initramfs-tools") == GeneratorConfig("initramfs-tools")
    with pytest.raises(FactUnavailable, match="MODULES"):
        fact(InitramfsConfig, {**unclear, **TOOLS})
