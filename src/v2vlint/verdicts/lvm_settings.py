"""What LVM's own settings keep it from finding on the target, for the mounts: filters in lvm.conf and the devices file."""

from __future__ import annotations

from collections.abc import Iterator

from v2vlint.facts.boot.bootloader import Bootloader
from v2vlint.facts.boot.early_unlock import EarlyImage
from v2vlint.facts.boot.needs import BootNeeds, NeededMount
from v2vlint.facts.conversion.landing import Landing
from v2vlint.facts.conversion.refusals import Refusals
from v2vlint.facts.storage.devices import NameFate, name_fate
from v2vlint.facts.storage.lvm_conf import LvmConf
from v2vlint.facts.storage.lvm_devices import LvmDevice, LvmDevices
from v2vlint.model.blocks import BlockTable
from v2vlint.model.dataclass import dataclass
from v2vlint.model.osinfo import OsInfo
from v2vlint.model.verdict import Cause, fault, repaired
from v2vlint.verdicts.early_settings import HARDWARE_IDS, Rejected, rejections

_NAMED_DISKS = "hv_storvsc"
"""Hyper-V's SCSI disks have an identity in page 83, as NVMe's have one; QEMU's and VMware's only if the machine's definition gives it."""
_LAST_WITHOUT = 8


def lvm_filters(
    conf: LvmConf,
    blocks: BlockTable,
    needs: BootNeeds,
    early: EarlyImage,
    landing: Landing,
    listed: LvmDevices,
    os: OsInfo,
    refusals: Refusals,
) -> Iterator[Cause[Rejected | None]]:
    """lvm.conf's ``filter`` and ``global_filter``, which LVM ignores with a devices file. The volumes under the root are up by then, if the
    initramfs could be asked.
    """
    if listed.exists and uses_devices_file(conf, os) and not refusals.converts:
        return
    awaited = needs.needs if early.image is None else needs.late
    yield from rejections(conf, blocks, landing, awaited)


@dataclass(frozen=True, slots=True)
class TiedVolumes:
    """Entries of LVM's devices file that do not fit the target's disks, and the mounts that depend on them."""

    tied: tuple[LvmDevice, ...]
    lost: tuple[NeededMount, ...]


def uses_devices_file(conf: LvmConf, os: OsInfo) -> bool:
    """Whether LVM heeds the file where it exists: Red Hat builds it so since RHEL 9, others leave it off."""
    if conf.use_devices_file is not None:
        return conf.use_devices_file
    return os.family == "rhel" and not (os.distro != "fedora" and 0 < os.major <= _LAST_WITHOUT)


def lvm_devices(
    listed: LvmDevices, conf: LvmConf, needs: BootNeeds, loader: Bootloader, os: OsInfo, refusals: Refusals, landing: Landing,
    blocks: BlockTable,
) -> Iterator[Cause[TiedVolumes]]:  # fmt: skip
    """LVM's devices file, where LVM uses it. virt-v2v clears ``/etc/lvm/devices`` before ``remap_block_devices`` runs."""
    tied = tuple(entry for entry in listed.entries if _is_tied(entry, conf, landing, blocks))
    if not tied or not uses_devices_file(conf, os):
        return
    found = frozenset(entry.pvid for entry in listed.entries if entry not in tied)
    lost = tuple(mount for mount in not_activated(needs, loader) if not _is_found(mount, found, blocks))
    reason = f"LVM only accepts disks with the source's identities ({', '.join(entry.id_name for entry in tied[:3])})"
    about, where = TiedVolumes(tied, lost), tied[0].where
    if refusals.converts:
        yield repaired(reason, where, about)
    else:
        yield fault(bool(lost) and not listed.refreshes, reason, where, about)


def _is_tied(entry: LvmDevice, conf: LvmConf, landing: Landing, blocks: BlockTable) -> bool:
    """Whether LVM does not find the entry's disk again. What it knew by a name it finds by the PVID, but only on disks that have no better
    identity (``search_for_devnames`` in device_id.c).
    """
    if entry.id_type != "devname" or conf.searches_all:
        return entry.id_type in HARDWARE_IDS
    identified = all(one.prefix == "nvme" or all(_NAMED_DISKS in modules for modules in one.any_of) for one in landing.controllers)
    return identified and name_fate(entry.id_name, landing.prefixes, blocks) is NameFate.GONE


def not_activated(needs: BootNeeds, loader: Bootloader) -> tuple[NeededMount, ...]:
    """Mounts on logical volumes that no rd.lvm.lv= of a default entry activates."""
    if not loader.defaults:
        return ()
    active = {arg.value for entry in loader.defaults for arg in entry.all("rd.lvm.lv", "rd_LVM_LV")}
    groups = {arg.value for entry in loader.defaults for arg in entry.all("rd.lvm.vg", "rd_LVM_VG")}
    return tuple(m for m in needs.mounts if m.volume and m.volume not in active and m.volume.split("/")[0] not in groups)


def _is_found(mount: NeededMount, found: frozenset[str], blocks: BlockTable) -> bool:
    """Whether every physical volume under ``mount`` is known, and one that LVM finds by another entry."""
    volumes = {device.uuid.replace("-", "") for name in mount.devices if (device := blocks.named(name)) and device.fs_type == "LVM2_member"}
    return bool(volumes) and volumes <= found
