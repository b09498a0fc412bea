"""What keeps a module from loading, against kmod itself: ``modprobe --dry-run`` in a tree of two modules that need each other."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import pytest

from tests.disk.images import need, run
from tests.facts.guests import Files, fact
from v2vlint.facts.boot.path import BootPath, BootPaths, Means
from v2vlint.model.rule import Link
from v2vlint.samples.boot import VERSION, sample_boot, sample_initramfs, sample_kernel

PART, WHOLE = "net-part", "net-card"
ALIAS = "virtio:d00000001v00001AF4"
SOURCE = {
    PART: '.section __ksymtab_strings,"a"\n.asciz "part"\n',
    WHOLE: f'.section .modinfo,"a"\n.asciz "alias={ALIAS}"\n.asciz "depends={PART}"\n.text\n.long part\n',
}
SYSV: Files = {"/sbin/init": b"\x7fELF /etc/inittab", "/etc/inittab": "", "/etc/rcS.d/S04kmod": "", "/etc/modules": f"# a\n{WHOLE} x=1\n"}

LINES = (
    "blacklist net_card", "blacklist net-card", "blacklist net_part", "blacklist net_card\r", "blacklist net_card # why",
    "blacklist net_c*", "blacklist net_card.ko", "blacklist\tnet_card", "  blacklist net_card", "BLACKLIST net_card",
    'blacklist "net_card"', "#blacklist net_card", "blacklist \\\n net_card", "# off \\\nblacklist net_card",
    "install net_card /bin/true", "install net-card /bin/false\r", "install net_* /bin/true", "install net_part /bin/false",
    "install net[-_]card /bin/true", "install [mn]et_card /bin/false", "install net_card", "install net_card \\\n /bin/false",
    "install net_card modprobe -i net_card", "install net_card { modprobe -i net_card; }", "install other /bin/true",
    "remove net_card /bin/true", "options net_card csum=0", "softdep net_card pre: other", "alias net_card off", "alias eth0 net_card",
    "install net_card /bin/true\ninstall net_card modprobe -i net_card",
    "install net_card modprobe -i net_card\ninstall net_card /bin/true", "\r\n\r\nblacklist other\r",
)  # fmt: skip
ARGS = (
    "ro", "modprobe.blacklist=net_card", "modprobe.blacklist=net-card", "modprobe.blacklist=other,net_card", "modprobe.blacklist=net_part",
    "modprobe.blacklist=net_card modprobe.blacklist=other", "modprobe.blacklist=", "net_card.blacklist=1", "rd.driver.blacklist=net_card",
    "modprobe-blacklist=net_card", "-- modprobe.blacklist=net_card",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with the two modules, indexed by depmod."""
    need("as", "depmod", "modprobe", "unshare")
    top = tmp_path_factory.mktemp("kmod")
    (top / "cmdline").write_text("ro\n")
    tried = subprocess.run(["unshare", "-m", "mount", "--bind", top / "cmdline", "/proc/cmdline"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"the kernel's command line cannot be mounted over: {tried.stderr.strip()}")
    folder = top / "lib/modules" / VERSION / "kernel"
    folder.mkdir(parents=True)
    for name, source in SOURCE.items():
        (top / "source.s").write_text(source)
        run("as", "-o", folder / f"{name}.ko", top / "source.s")
    run("depmod", "-b", top, VERSION)
    (top / "conf").mkdir()
    return top


def loads(tree: Path, conf: str, args: str, name: str) -> bool:
    """Whether modprobe inserts both modules."""
    (tree / "conf/x.conf").write_text(conf + "\n")
    (tree / "cmdline").write_text(args + "\n")
    words = f'modprobe -d "{tree}" -S {VERSION} -C "{tree}/conf" -n -v'
    told = run("unshare", "-m", "sh", "-c", f'mount --bind "{tree}/cmdline" /proc/cmdline && {words} {name}').splitlines()
    inserted = [line for line in told if line.startswith("insmod") or "modprobe -i" in line]
    return len(inserted) == len(SOURCE) == len(told)


def path(conf: str, args: str, more: Files) -> BootPath:
    kernel = sample_kernel((f"{WHOLE}: {PART}", PART, "ext4"))
    files = {**sample_boot(kernel, sample_initramfs(("ext4",)), args), "/usr/bin/kmod": "", "/etc/modprobe.d/x.conf": conf + "\n"}
    return next(fact(BootPaths, {**files, **more}).defaults)


CELLS = [(line, "ro") for line in LINES] + [("", args) for args in ARGS]


def agree(tree: Path, conf: str, args: str) -> None:
    """udev asks for the alias; Debian's init script for the names in /etc/modules besides."""
    asked = loads(tree, conf, args, ALIAS)
    named = asked or loads(tree, conf, args, WHOLE)
    found = [path(conf, args, more).installed(WHOLE).means for more in ({}, SYSV)]
    assert [means is Means.INSTALLED for means in found] == [asked, named], (conf, args)


@pytest.mark.parametrize(("conf", "args"), CELLS)
def test_each_line_and_argument(tree: Path, conf: str, args: str) -> None:
    agree(tree, conf, args)


@pytest.mark.slow
def test_several_lines_at_once(tree: Path) -> None:
    draw = random.Random(5)
    for _ in range(120):
        agree(tree, "\n".join(draw.choices(LINES, k=draw.randrange(1, 4))), " ".join(draw.choices(ARGS, k=2)))


@pytest.mark.parametrize(
    ("init", "means"),
    [
        (SYSV, Means.INSTALLED),
        ({**SYSV, "/etc/rcS.d/S04kmod": Link("/nowhere")}, Means.INSTALLED),
        ({path: text for path, text in SYSV.items() if "kmod" not in path}, Means.UNKNOWN),
        ({"/sbin/openrc-init": "", "/etc/modules": WHOLE}, Means.UNKNOWN),
        ({"/usr/lib/systemd/systemd": "", "/etc/modules-load.d/modules.conf": WHOLE}, Means.BLOCKED),
        ({"/sbin/openrc-init": "", "/etc/modules": "other"}, Means.BLOCKED),
    ],
)
def test_which_init_heeds_a_blacklist(init: Files, means: Means) -> None:
    assert path("blacklist net_card", "ro", init).installed(WHOLE).means is means


@pytest.mark.parametrize(("args", "means"), [("module_blacklist=net-card", True), ("module_blacklist=a,net_card", False)])
def test_the_kernel_s_own_list_is_spelled_as_the_kernel_does(args: str, means: bool) -> None:
    """``blacklisted()`` of kernel/module/main.c compares bytes; of a parameter that is there twice the last counts."""
    assert (path("", args, {}).installed(WHOLE).means is Means.INSTALLED) == means
    assert path("", f"module_blacklist=net_card {args},x", {}).installed(WHOLE).usable is means
    assert path("", f"{args} module-blacklist=other", SYSV).installed(WHOLE).usable
