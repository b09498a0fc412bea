"""The superblocks of filesystems that Linux can have as its root, and of swap space."""

from __future__ import annotations

from v2vlint.disk.fields import Fields
from v2vlint.disk.filesystems.content import Content, details, standard_uuid, text
from v2vlint.disk.filesystems.superblocks import BTRFS, EXT, XFS
from v2vlint.disk.stream import Stream


def ext(base: Stream) -> Content | None:
    """``ext2``, ``ext3``, ``ext4`` or an external journal, ``jbd`` (Documentation/filesystems/ext4/super.rst of Linux)."""
    block = base.read_at(1024, 1024)
    if len(block) < 1024 or block[56:58] != b"\x53\xef":
        return None
    found = EXT.read(block)
    log_size, state = found["s_log_block_size"], found["s_state"]
    compat, incompat, read_only = found["s_feature_compat"], found["s_feature_incompat"], found["s_feature_ro_compat"]
    if incompat & 8 or log_size > 6:
        return Content("jbd", standard_uuid(block[104:120])) if incompat & 8 else None
    free, blocks = found["s_free_blocks_count_lo"], found["s_blocks_count_lo"]
    if incompat & 0x80:  # 64bit; without that feature the upper halves are ignored (ext4_free_blocks_count)
        free, blocks = free | found["s_free_blocks_count_hi"] << 32, blocks | found["s_blocks_count_hi"] << 32
    more = details(
        block_size=1024 << log_size,
        fs_size=blocks * (1024 << log_size),
        free=free * (1024 << log_size),
        free_inodes=found["s_free_inodes_count"],
        inodes=found["s_inodes_count"],
        # EXT4_VALID_FS and EXT4_ERROR_FS.
        clean=bool(state & 1),
        errors=bool(state & 2),
        needs_recovery=bool(incompat & 4),
        features=" ".join(names_of_ext_features(compat, incompat, read_only)),
    )
    return Content(_ext_type(compat, incompat, read_only), standard_uuid(block[104:120]), text(block[120:136]), more)


def _ext_type(compat: int, incompat: int, read_only: int) -> str:
    # Features beyond EXT3_FEATURE_INCOMPAT_SUPP and EXT3_FEATURE_RO_COMPAT_SUPP of libblkid's ext.c.
    if incompat & ~0x16 or read_only & ~0x7:
        return "ext4"
    return "ext3" if compat & 4 else "ext2"


def names_of_ext_features(compat: int, incompat: int, read_only: int) -> list[str]:
    """The names, as spelled by tune2fs(8), of features that old kernels and boot loaders do not support."""
    table = (
        (compat, ((4, "has_journal"), (0x20, "dir_index"), (0x200, "sparse_super2"), (0x1000, "orphan_file"))),
        (incompat, ((0x10, "meta_bg"), (0x40, "extent"), (0x80, "64bit"), (0x200, "flex_bg"), (0x2000, "metadata_csum_seed"),
                    (0x4000, "large_dir"), (0x8000, "inline_data"), (0x10000, "encrypt"), (0x20000, "casefold"))),
        (read_only, ((0x200, "bigalloc"), (0x400, "metadata_csum"), (0x8000, "verity"))),
    )  # fmt: skip
    return [name for word, bits in table for bit, name in bits if word & bit]


def xfs(base: Stream) -> Content | None:
    """``xfs`` (``struct xfs_dsb``, fs/xfs/libxfs/xfs_format.h)."""
    block = base.read_at(0, 512)
    if block[:4] != b"XFSB" or len(block) < 512:
        return None
    from v2vlint.disk.filesystems.xfs_log import is_dirty
    from v2vlint.disk.filesystems.xfs_space import usable_blocks

    found = XFS.read(block)
    size, version = found["sb_blocksize"], found["sb_versionnum"] & 0xF
    more = details(
        block_size=size,
        sector_size=found["sb_sectsize"],
        fs_size=found["sb_dblocks"] * size,
        version=version,
        free=usable_blocks(found) * size,
        inodes=found["sb_icount"],
        free_inodes=found["sb_ifree"],
        dirty_log=is_dirty(base, block),
        # XFS_SB_FEAT_INCOMPAT_NEEDSREPAIR, with which Linux refuses to mount.
        needs_repair=version == 5 and bool(found["sb_features_incompat"] & 0x10),
        features=" ".join(_xfs_features(found["sb_features_ro_compat"], found["sb_features_incompat"])) if version == 5 else "",
    )
    return Content("xfs", standard_uuid(block[32:48]), text(block[108:120]), more)


def _xfs_features(read_only: int, incompat: int) -> list[str]:
    names = [name for bit, name in ((1, "finobt"), (2, "rmapbt"), (4, "reflink"), (8, "inobtcount")) if read_only & bit]
    return names + [
        name for bit, name in ((1, "ftype"), (2, "sparse"), (8, "bigtime"), (0x20, "nrext64"), (0x40, "exchange"), (0x80, "parent"))
        if incompat & bit
    ]  # fmt: skip


def btrfs(base: Stream) -> Content | None:
    """``btrfs`` (``struct btrfs_super_block``, include/uapi/linux/btrfs_tree.h)."""
    block = base.read_at(65536, 4096)
    if block[64:72] != b"_BHRfS_M" or len(block) < 4096:
        return None
    found = BTRFS.read(block)
    more = details(
        block_size=found["sectorsize"],
        fs_size=found["dev_item_total_bytes"],
        node_size=found["nodesize"],
        devices=found["num_devices"],
        free=max(0, found["total_bytes"] - found["bytes_used"]),
        uuid_sub=standard_uuid(block[201 + 66 : 201 + 82]),
        dirty_log=bool(found["log_root"]),
    )
    return Content("btrfs", standard_uuid(block[32:48]), text(block[299:555]), more)


_TUX_ON_ICE = b"\xed\xc3\x02\xe9\x98\x56\xe5\x0c"

# struct fs (sys/ufs/ffs/fs.h of BSD): fs_id[0] and fs_id[1].
_UFS = {order: Fields(order, fs_id_0=(144, "I"), fs_id_1=(148, "I")) for order in "<>"}


def ufs(base: Stream) -> Content | None:
    """``ufs`` of either version (``struct fs`` of BSD), at every possible place of its superblock."""
    # SBLOCKSEARCH of BSD's fs.h.
    for place in (8192, 65536, 0, 256 << 10):
        block = base.read_at(place, 1376)
        for order, magics in (("<", (b"\x19\x01\x54\x19", b"\x54\x19\x01\x00")), (">", (b"\x19\x54\x01\x19", b"\x00\x01\x19\x54"))):
            if block[1372:1376] in magics:
                found = _UFS[order].read(block)
                return Content("ufs", f"{found['fs_id_0']:08x}{found['fs_id_1']:08x}")
    return None


_MINIX_VERSIONS, _MINIX_3_MAGIC = {0x137F: 1, 0x138F: 1, 0x2468: 2, 0x2478: 2}, 0x4D5A
# struct minix_super_block (include/uapi/linux/minix_fs.h), struct minix3_super_block (fs/minix/minix.h).
_MINIX = {
    order: Fields(
        order,
        s_ninodes=(0, "H"),
        s_nzones=(2, "H"),
        s_imap_blocks=(4, "H"),
        s_zmap_blocks=(6, "H"),
        s_firstdatazone=(8, "H"),
        s_log_zone_size=(10, "H"),
        s_magic=(16, "H"),
        s_state=(18, "H"),
        s_zones=(20, "I"),
    )
    for order in "<>"
}
_MINIX_3 = {
    order: Fields(
        order,
        s_ninodes=(0, "I"),
        s_imap_blocks=(6, "H"),
        s_zmap_blocks=(8, "H"),
        s_firstdatazone=(10, "H"),
        s_log_zone_size=(12, "H"),
        s_zones=(20, "I"),
        s_magic=(24, "H"),
    )
    for order in "<>"
}


def minix(base: Stream) -> Content | None:
    """``minix`` of version 1 to 3, with the sanity checks of its fsck, since a magic number of two bytes is a weak sign."""
    block = base.read_at(1024, 32)
    for order in "<>":
        found, third = _MINIX[order].read(block), _MINIX_3[order].read(block)
        version, state = _MINIX_VERSIONS.get(found["s_magic"]), found["s_state"]
        if third["s_magic"] == _MINIX_3_MAGIC:
            found, version, state = third, 3, 0
        if version is None:
            continue
        zones, inodes, first = found["s_nzones" if version == 1 else "s_zones"], found["s_ninodes"], found["s_firstdatazone"]
        inode_maps, zone_maps = found["s_imap_blocks"], found["s_zmap_blocks"]
        if (
            not found["s_log_zone_size"]
            and inodes
            and inode_maps << 13 > inodes
            and first <= zones
            and zone_maps << 13 > zones - first
            and not state & ~3
        ):
            return Content("minix")
    return None


def hfs(base: Stream) -> Content | None:
    """``hfs``: Apple's older filesystem (Inside Macintosh: Files, "Master Directory Block"); a wrapper of HFS+ is ``hfsplus``."""
    block = base.read_at(1024, 162)
    if block[:2] != b"BD" or len(block) < 162:
        return None
    return Content("hfsplus" if block[124:126] in (b"H+", b"HX") else "hfs", "", block[37 : 37 + min(block[36], 27)].decode("mac-roman"))


def swap(base: Stream) -> Content | None:
    """``swap``, or ``swsuspend`` when a hibernated system lies in it (include/linux/swap.h, kernel/power/swap.c)."""
    # The signature ends the first page, whose size is that of the machine that made it.
    for page in (4096, 8192, 16384, 65536):
        magic = base.read_at(page - 10, 10)
        if magic in (b"SWAPSPACE2", b"SWAP-SPACE"):
            head = base.read_at(1024, 44)
            uuid, label = standard_uuid(head[12:28]), text(head[28:44])
            # TuxOnIce marks its image at the start and leaves the signature of the swap space.
            if base.read_at(0, 8) == _TUX_ON_ICE:
                return Content("swsuspend", uuid, label, details(hibernated=True))
            return Content("swap", uuid, label, details(block_size=page))
        if magic in (b"S1SUSPEND\0", b"S2SUSPEND\0", b"ULSUSPEND\0", b"LINHIB0001"):
            head = base.read_at(1024, 44)
            return Content("swsuspend", standard_uuid(head[12:28]), text(head[28:44]), details(hibernated=True))
    return None
