"""The superblocks of filesystems that Linux can have as its root, with the field names of the kernel's headers.

Probes and readers share these definitions.
"""

from __future__ import annotations

from v2vlint.disk.fields import Fields

EXT = Fields(
    "<",
    s_inodes_count=(0x0, "I"),
    s_blocks_count_lo=(0x4, "I"),
    s_free_blocks_count_lo=(0xC, "I"),
    s_free_inodes_count=(0x10, "I"),
    s_first_data_block=(0x14, "I"),
    s_log_block_size=(0x18, "I"),
    s_log_cluster_size=(0x1C, "I"),
    s_blocks_per_group=(0x20, "I"),
    s_inodes_per_group=(0x28, "I"),
    s_state=(0x3A, "H"),
    s_rev_level=(0x4C, "I"),
    s_inode_size=(0x58, "H"),
    s_feature_compat=(0x5C, "I"),
    s_feature_incompat=(0x60, "I"),
    s_feature_ro_compat=(0x64, "I"),
    s_journal_inum=(0xE0, "I"),
    s_last_orphan=(0xE8, "I"),
    s_desc_size=(0xFE, "H"),
    s_first_meta_bg=(0x104, "I"),
    s_blocks_count_hi=(0x150, "I"),
    s_free_blocks_count_hi=(0x158, "I"),
    s_backup_bgs=(0x24C, "Q"),
    s_orphan_file_inum=(0x280, "I"),
)
"""``struct ext4_super_block`` (fs/ext4/ext4.h), 1024 bytes at 1024."""

XFS = Fields(
    ">",
    sb_blocksize=(4, "I"),
    sb_dblocks=(8, "Q"),
    sb_logstart=(48, "Q"),
    sb_rootino=(56, "Q"),
    sb_agblocks=(84, "I"),
    sb_logblocks=(96, "I"),
    sb_versionnum=(100, "H"),
    sb_sectsize=(102, "H"),
    sb_inodesize=(104, "H"),
    sb_inopblog=(123, "B"),
    sb_agblklog=(124, "B"),
    sb_icount=(128, "Q"),
    sb_ifree=(136, "Q"),
    sb_fdblocks=(144, "Q"),
    sb_dirblklog=(192, "B"),
    sb_features2=(200, "I"),
    sb_features_ro_compat=(212, "I"),
    sb_features_incompat=(216, "I"),
)
"""``struct xfs_dsb`` (fs/xfs/libxfs/xfs_format.h), at the start. Version 4 ends at ``sb_bad_features2``; what follows is version 5's."""

BTRFS = Fields(
    "<",
    generation=(72, "Q"),
    root=(80, "Q"),
    chunk_root=(88, "Q"),
    log_root=(96, "Q"),
    total_bytes=(112, "Q"),
    bytes_used=(120, "Q"),
    num_devices=(136, "Q"),
    sectorsize=(144, "I"),
    nodesize=(148, "I"),
    sys_chunk_array_size=(160, "I"),
    incompat_flags=(188, "Q"),
    dev_item_devid=(201, "Q"),
    dev_item_total_bytes=(209, "Q"),
)
"""``struct btrfs_super_block`` (include/uapi/linux/btrfs_tree.h), 4096 bytes at 65536. It is packed: ``dev_item`` begins at 201."""
BTRFS_SYS_CHUNK_ARRAY = 811

EROFS = Fields(
    "<",
    blkszbits=(12, "B"),
    root_nid=(14, "H"),
    build_time=(24, "Q"),
    meta_blkaddr=(40, "I"),
    feature_incompat=(80, "I"),
)
"""``struct erofs_super_block`` (fs/erofs/erofs_fs.h), 128 bytes at 1024."""

SQUASHFS = Fields(
    "<",
    block_size=(12, "I"),
    fragments=(16, "I"),
    compression=(20, "H"),
    no_ids=(26, "H"),
    s_major=(28, "H"),
    root_inode=(32, "Q"),
    bytes_used=(40, "Q"),
    id_table_start=(48, "Q"),
    inode_table_start=(64, "Q"),
    directory_table_start=(72, "Q"),
    fragment_table_start=(80, "Q"),
)
"""``struct squashfs_super_block`` (fs/squashfs/squashfs_fs.h), at the start."""
