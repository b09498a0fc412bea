"""Logical volumes of every type, made and read by the kernel's device mapper in a tiny guest: hosts of tests have none.

One guest makes the volumes on a few disks, writes to them, and says what each of them holds and which modules each of them loads. What it
said is compared with what the readers see on the disks, also without one disk that redundant volumes do without.
"""

from __future__ import annotations

import hashlib
import random
import re
from pathlib import Path

import pytest

from tests.disk.images import blank
from tests.tiny_guest import TinyGuest, console, lacks, programs
from v2vlint.disk.containers.formats import Image
from v2vlint.disk.stream import HostFile
from v2vlint.disk.volumes.stack import Layer, Stack
from v2vlint.facts.storage.root_stack import RootStack
from v2vlint.model.source import Keys

MIB = 1 << 20
DISKS = "abcdefghijklmno"
"""The last letters of what the guest calls its disks; the group of the act "losses" loses k."""
LOST = "k"
TOOLS = (
    "bash", "mount", "mkdir", "sleep", "cat", "ln", "rm", "sed", "grep", "tr", "cut", "head", "tail", "dd", "seq", "sha256sum", "lsmod",
    "sync", "readlink", "lvm", "dmsetup", "modprobe", "rmmod", "blockdev", "sort",
)  # fmt: skip
COMMANDS = ("pvcreate", "vgcreate", "lvcreate", "lvs", "lvchange", "lvconvert", "vgchange", "pvs")
MODULES = (
    "virtio_pci", "virtio_scsi", "sd_mod", "dm_mod", "dm_raid", "dm_mirror", "dm_thin_pool", "dm_cache", "dm_cache_smq", "dm_writecache",
    "dm_snapshot", "dm_zero", "raid0", "raid1", "raid10", "raid456",
)  # fmt: skip
HARNESS = r"""#!/bin/bash
export PATH=/sbin:/bin:/usr/sbin:/usr/bin LVM_SYSTEM_DIR=/tmp/lvm LVM_SUPPRESS_FD_WARNINGS=1
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mkdir -p /tmp/lvm /run/lvm /run/lock
exec 2>&1
modprobe -a virtio_pci virtio_scsi sd_mod
cat > /tmp/lvm/lvm.conf <<END
devices { use_devicesfile = 0 obtain_device_list_from_udev = 0 external_device_info_source = "none" }
global { thin_check_executable = "" cache_check_executable = "" thin_dump_executable = "" use_lvmpolld = 0 locking_type = 1 }
activation { monitoring = 0 udev_sync = 0 udev_rules = 0 verify_udev_operations = 0 }
END
say() { echo "== $(cut -d' ' -f1 /proc/uptime) $*"; }
turn() { "$@" >/tmp/said 2>&1 || { say "FAILED $*"; cat /tmp/said; }; }
lv() { turn lvcreate -q -y -Zn -Wn "$@"; }
group() { g=$1; shift; set -- ${*/#//dev/sd}; turn pvcreate -q $*; turn vgcreate -q -s 512k $g $*; }
fill() { cat blob blob blob blob blob blob blob blob blob | tail -c +$((RANDOM+1)) | head -c $(($2<<20)) > /dev/$1; }
filled() { for one in $(lvs --noheadings -S 'lv_name!=zero' -o full_name $*); do
    [ -b /dev/$one ] && fill $one $(($(blockdev --getsize64 /dev/$one)>>20)); done; sync; }
poke() { for k in 1 2 3 4; do
    tail -c +$((RANDOM*20+1)) blob | head -c 50001 | dd of=/dev/$1 bs=7001 seek=$((RANDOM % ($2*149-10))) conv=notrunc 2>/dev/null; done; }
settle() { for t in $(seq 60); do
    lvs --noheadings -o sync_percent $1 | tr -d ' ' | grep -v 100.00 | grep -q '[0-9]' || break; sleep 0.3; done; }
sums() { sync; echo 3 > /proc/sys/vm/drop_caches; for one in $(lvs --noheadings -o lv_name $2); do
    [ -b /dev/$2/$one ] && echo "sum $1 $2/$one $(sha256sum < /dev/$2/$one | cut -c1-64)"; done; }
modules() { g=$1; shift; for one in $*; do
    vgchange -q -an $g >/dev/null
    for t in 1 2 3 4; do for m in $(lsmod | grep -oE '^(dm_|raid)[a-z0-9_]*'); do
      case $m in dm_mod|raid6_pq) ;; *) rmmod $m 2>/dev/null;; esac; done; done
    left=" $(lsmod | cut -d' ' -f1 | tr '\n' ' ')"
    lvchange -q -ay -Ky $g/$one >/dev/null
    echo "modules $g/$one $(lsmod | cut -d' ' -f1 | while read m; do case "$left" in *" $m "*) ;; *) echo -n "$m ";; esac; done)"; done; }
cd /; for t in $(seq 50); do [ -b /dev/sdo ] && break; sleep 0.1; done; sleep 0.3
for x in /sys/block/sd?; do echo "disk ${x##*/} $(readlink $x/device)"; done
for act in $(sed "s/.*acts=//;s/,/ /g" /proc/cmdline); do say begin $act; . /$act; say end $act; done; vgchange -q -an
echo o > /proc/sysrq-trigger; sleep 9
"""

ACTS = {
    "some": r"""
group vb a b c
lv --type raid4 -i2 -I16 -L 2M -n four vb; lv -L 4M -n pool vb; turn lvconvert -q -y --type thin-pool -c 64k vb/pool
turn lvcreate -q -y -V 4M -n thin --thinpool pool vb; fill vb/thin 2; turn lvcreate -q -y -s -n then vb/thin
turn lvchange -q -ay -Ky vb/then
lv -L 2M -n slow vb; fill vb/slow 2; turn lvcreate -q -y --type cache --cachemode writeback -L 2M -c 32k -n fast vb/slow
fill vb/four 2; for k in 1 2; do for one in four thin slow; do poke vb/$one 2; done; done
sums all vb
""",
    "arrays": r"""
group va a b c d e f
for t in raid1 raid4 raid5_la raid5_ra raid5_ls raid5_rs raid5_n raid10 raid0 raid0_meta striped; do
  case $t in raid1) o="-m1";; raid10) o="-i2 -m1";; raid0*|striped) o="-i3 -I8";; *) o="-i2 -I32";; esac
  lv --type $t $o -L 3M -n $t va
done
for t in zr nr nc la_6 ra_6 ls_6 rs_6 n_6; do lv --type raid6_$t -i3 -I16 -L 3M -n $t va; done
lv --type mirror -m1 --mirrorlog core -L 2M -n core va; lv --type mirror -m2 --mirrorlog disk -L 2M -n mirror va
lv --type raid1 -m1 --nosync -L 2M -n unsynced va; lv --type raid1 -m2 -L 2M -n three va; lv -L 2M -n linear va
lv --type zero -L 1M -n zero va
lv --type raid5 -i2 -I16 -L 4M -n wider va
settle va; filled va
for one in raid1 raid5_ls raid10 mirror zr n_6; do poke va/$one 2; done
turn lvconvert -q -y --stripes 3 va/wider; settle va/wider; turn lvchange -q -an va/wider; turn lvchange -q -ay va/wider
sums all va
modules va raid1 raid4 raid10 raid0 zr core linear striped zero
""",
    "pools": r"""
group vt g h
lv -L 4M -n external vt; fill vt/external 4
lv --type raid1 -m1 -L 14M -n pool vt; turn lvconvert -q -y --type thin-pool -c 64k vt/pool
for one in thin1 thin2 trolled; do turn lvcreate -q -y -V 12M -n $one --thinpool pool vt; fill vt/$one 2; done; poke vt/thin1 12
sync; for one in tsnap/thin1 told/trolled; do turn lvcreate -q -y -s -n ${one%/*} vt/${one#*/}; turn lvchange -q -ay -Ky vt/${one%/*}; done
for one in thin1 thin2 tsnap trolled told; do poke vt/$one 12; done
turn lvchange -q -an vt/external; turn lvchange -q -pr vt/external
turn lvcreate -q -y -s --thinpool vt/pool -n textern vt/external; turn lvchange -q -ay -Ky vt/textern; poke vt/textern 4
lv -L 4M -n watched vt; lv -L 4M -n rolled vt; filled vt/watched vt/rolled; turn lvcreate -q -y -s -L 2M -n past vt/watched
turn lvcreate -q -y -s -L 3M -c 8k -n old vt/rolled
for one in watched rolled old; do poke vt/$one 4; done
sums all vt
exec 7</dev/vt/rolled 8</dev/vt/trolled
turn lvconvert -q -y --merge vt/old; turn lvconvert -q -y --merge vt/told
exec 7<&- 8<&-
modules vt thin1 watched
""",
    "caches": r"""
group vc i j
for one in cw ct cv cp wc; do lv -L 4M -n $one vc; done; filled vc
turn lvcreate -q -y --type cache --cachemode writeback -L 3M -c 32k -n cwp vc/cw
turn lvcreate -q -y --type cache --cachemode writethrough -L 3M -c 64k -n ctp vc/ct
turn lvcreate -q -y --type cache --cachemode passthrough -L 3M -c 64k -n cpp vc/cp
lv -L 3M -n fast vc; turn lvconvert -q -y --type cache --cachevol fast --cachemode writeback -c 32k vc/cv
lv -L 3M -n fast2 vc; turn lvchange -q -an vc/wc vc/fast2; turn lvconvert -q -y --type writecache --cachevol fast2 vc/wc
turn lvchange -q -ay vc/wc
for one in cw ct cv cp wc; do poke vc/$one 4; done; sync
for k in $(seq 8); do for one in cw cv ct; do
  tail -c +$((k*1000)) blob | head -c 262144 |
    dd of=/dev/vc/$one bs=32k seek=$((k%3)) conv=notrunc oflag=direct iflag=fullblock 2>/dev/null; done; done
sync; for one in cw cv; do turn dmsetup message vc-$one 0 migration_threshold 0; done
for one in cw cv; do poke vc/$one 1; poke vc/$one 4; done; sync; dmsetup status | grep cache
sums all vc
modules vc cw wc
""",
    "losses": r"""
group vd k l m n o
lv --type raid1 -m1 -L 2M -n r1 vd /dev/sd[kl]; lv --type raid1 -m1 -L 2M -n repaired vd /dev/sd[km]
lv --type raid5 -i2 -I32 -L 2M -n r5 vd /dev/sd[kln]; lv --type raid6 -i3 -I32 -L 3M -n r6 vd
lv --type raid0 -i2 -L 2M -n r0 vd /dev/sd[km]
lv --type raid10 -i2 -m1 -L 4M -n r10 vd /dev/sd[klno]; lv --type mirror -m1 --mirrorlog core -L 2M -n mirror vd /dev/sd[ko]
lv -L 2M -n elsewhere vd /dev/sdn; lv -L 2M -n there vd /dev/sdk; lv --type raid1 -m1 -L 4M -n pool vd /dev/sd[kn]
turn lvconvert -q -y --type thin-pool -c 64k vd/pool; turn lvcreate -q -y -V 3M -n thin --thinpool pool vd
settle vd; filled vd; turn lvchange -q -an vd/mirror; turn lvchange -q -an vd/r0 vd/thin; turn lvchange -q -an vd/pool
echo offline > /sys/block/sdk/device/state
for k in 1 2; do for one in r1 repaired r5 r6 r10; do poke vd/$one 2; done; sync; done
turn lvconvert -q -y --repair vd/repaired; settle vd/repaired
dmsetup status | grep vd-r
sums lost vd
turn vgchange -q -an vd; dmsetup ls
echo running > /sys/block/sdk/device/state
vgchange -ay vd
lvs -a -o lv_name,lv_active,sync_percent,lv_health_status,devices vd
sums back vd
""",
}


class Told:
    """What the guest said, and its disks."""

    def __init__(self, folder: Path, acts: tuple[str, ...]) -> None:
        self.folder = folder
        self.console = _booted(folder, acts)
        self.targets = {name[2:]: int(target) for name, target in re.findall(r"^disk (sd\w) \S*:0:(\d+):0", self.console, re.MULTILINE)}
        assert re.findall(r"^== \S+ end (\w+)", self.console, re.MULTILINE) == [*acts], self.console[-3000:]
        assert "FAILED" not in self.console, self.console

    def sums(self, moment: str) -> dict[str, str]:
        """The digest of every volume at that moment."""
        return dict(re.findall(rf"^sum {moment} (\S+) (\w{{64}})", self.console, re.MULTILINE))

    def modules(self) -> dict[str, set[str]]:
        """The modules that came with each volume."""
        found = re.findall(r"^modules (\S+) (.*)$", self.console, re.MULTILINE)
        return {name: {word for word in words.split() if word.startswith(("dm_", "raid"))} for name, words in found}

    def layers(self, *, first: str = "", without: str = "") -> dict[str, Layer]:
        """Our view of the disks: ``first`` comes before all others."""
        order = sorted(set(DISKS) - {*without}, key=lambda letter: (letter != first, letter))
        images = [Image(letter, "raw", HostFile(str(self.folder / f"disk{self.targets[letter]}"))) for letter in order]
        return Stack(images, Keys(())).layers


def _booted(folder: Path, acts: tuple[str, ...]) -> str:
    """The console of the guest, which ends by itself."""
    tree = folder / "tree"
    TinyGuest(programs(*TOOLS), MODULES).fill(tree, HARNESS)
    for name in COMMANDS:
        (tree / "sbin" / name).symlink_to("lvm")
    for name, text in ACTS.items():
        (tree / name).write_text(text)
    (tree / "blob").write_bytes(random.Random(5).randbytes(1_000_003))
    devices = ["-device", "virtio-scsi-pci,id=s"]
    for number in range(len(DISKS)):
        devices += ["-drive", f"if=none,id=d{number},file={blank(folder / f'disk{number}', 128 * MIB)},format=raw,cache=unsafe"]
        devices += ["-device", f"scsi-hd,drive=d{number},bus=s.0,scsi-id={number}"]
    return console(folder, *devices, append=f"acts={','.join(acts)}")


def _digest(layer: Layer) -> str:
    """The content's, or why there is none."""
    found = hashlib.sha256()
    for start in range(0, layer.stream.size if layer.stream else 0, MIB):
        assert layer.stream is not None
        found.update(layer.stream.read_at(start, min(MIB, layer.stream.size - start)))
    return found.hexdigest() if layer.stream else layer.device.problem


def _told(factory: pytest.TempPathFactory, *acts: str) -> Told:
    if lacks(*TOOLS):
        pytest.skip("needs QEMU, a Debian kernel, and LVM's tools")
    return Told(factory.mktemp("lvm"), acts)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """Some eight minutes on a quiet machine."""
    return _told(tmp_path_factory, *(act for act in ACTS if act != "some"))


NOT_READ = {"vc/wc": "LVM writecache volume is not supported", "vt/past": "LVM snapshot volume is not supported"}
MERGED = {"vt/rolled": "vt/old", "vt/trolled": "vt/told"}
"""Origins, and the snapshots that the next activation merges into them."""


@pytest.mark.slow
def test_some_volumes_hold_what_the_kernel_shows(tmp_path_factory: pytest.TempPathFactory) -> None:
    """About half a minute; all of them are for ``make truth``."""
    some = _told(tmp_path_factory, "some")
    layers, sums = some.layers(), some.sums("all")
    assert sums.keys() == {"vb/four", "vb/thin", "vb/then", "vb/slow"}
    assert {name: _digest(layers[name]) for name in sums} == sums


@pytest.mark.truth
@pytest.mark.timeout(1500)
def test_volumes_hold_what_the_kernel_shows(told: Told) -> None:
    layers, sums = told.layers(), told.sums("all")
    assert sums.keys() - layers.keys() == {*MERGED.values()}
    wanted = sums | NOT_READ | {origin: sums[snapshot] for origin, snapshot in MERGED.items()}
    assert {name: _digest(layers[name]) for name in sums if name in layers} == {name: wanted[name] for name in sums if name in layers}


@pytest.mark.truth
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("first", ["a", LOST])
def test_what_went_on_without_a_disk(told: Told, first: str) -> None:
    """Whether that disk is back, and comes first, or not. LVM refuses to activate what has a part on it, but for RAID volumes."""
    sums = told.sums("lost")
    assert told.sums("back").items() >= sums.items()
    refused = {*re.findall(r"Refusing activation of partial LV (\S+)\.  Use", told.console)} - {"vd/pool"}
    assert refused == {"vd/there", "vd/mirror", "vd/thin"}
    back, gone = told.layers(first=first), told.layers(without=LOST)
    for layers in (back, gone):
        assert {name: _digest(layers[name]) for name in sums} == sums
        assert all("missing" in layers[name].device.problem for name in refused)
    # Marked as missing, it was taken all the same, and brought up to date.
    assert _digest(back["vd/r0"]) == told.sums("back")["vd/r0"]
    assert "missing" in gone["vd/r0"].device.problem
    degraded = [{name for name in sums if layers[name].device.detail("degraded")} for layers in (back, gone)]
    assert degraded == [set(), {"vd/r1", "vd/r5", "vd/r6", "vd/r10"}]


@pytest.mark.truth
@pytest.mark.timeout(1500)
def test_modules_that_come_with_a_volume(told: Told) -> None:
    """Those that our table does not name are what the named ones depend on."""
    layers = told.layers()
    depends = {"dm_bio_prison", "dm_bufio", "dm_persistent_data", "dm_region_hash", "dm_log", "raid6_pq", "raid456"}
    for name, loaded in told.modules().items():
        device = layers[name].device
        ours = set(RootStack("ext4", device, (device,)).layer_modules) - {"dm_mod"}
        assert ours <= loaded, name
        assert loaded - ours <= depends, name
    assert told.modules()
