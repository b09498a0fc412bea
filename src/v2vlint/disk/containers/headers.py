"""The structures of VHD, VHDX and VDI files, field by field under the names of their sources. Sizes and offsets are in bytes."""

from __future__ import annotations

from v2vlint.disk.fields import Fields

# Microsoft's VHD specification 1.0, "Hard Disk Footer Format".
VHD_FOOTER = Fields(">", data_offset=(16, "Q"), current_size=(48, "Q"), disk_type=(60, "I"), checksum=(64, "I"))
VHD_FOOTER_COOKIE, VHD_FOOTER_SIZE, VHD_UNIQUE_ID = b"conectix", 512, slice(68, 84)

# "Dynamic Disk Header Format", with room for eight locators of the parent.
VHD_DYNAMIC = Fields(">", table_offset=(16, "Q"), max_table_entries=(28, "I"), block_size=(32, "I"), checksum=(36, "I"))
VHD_DYNAMIC_COOKIE, VHD_DYNAMIC_SIZE = b"cxsparse", 1024
VHD_PARENT_UNIQUE_ID, VHD_PARENT_UNICODE_NAME = slice(40, 56), slice(64, 576)
VHD_LOCATORS = range(576, 768, 24)
VHD_LOCATOR = Fields(">", platform_code=(0, "I"), platform_data_length=(8, "I"), platform_data_offset=(16, "Q"))
VHD_W2RU, VHD_W2KU = 0x57327275, 0x57326B75
"""The platform codes of a relative and an absolute path in Unicode."""

# [MS-VHDX] 2.2.1 to 2.2.3: file identifier, headers and region tables, of which there are two each.
VHDX_SIGNATURE, VHDX_HEADERS, VHDX_REGION_TABLES = b"vhdxfile", (64 << 10, 128 << 10), (192 << 10, 256 << 10)
VHDX_HEADER = Fields("<", SequenceNumber=(8, "Q"), Version=(66, "H"), LogLength=(68, "I"), LogOffset=(72, "Q"))
VHDX_HEADER_SIGNATURE, VHDX_HEADER_SIZE = b"head", 4096
VHDX_DATA_WRITE_GUID, VHDX_LOG_GUID = slice(32, 48), slice(48, 64)
VHDX_REGION_TABLE = Fields("<", EntryCount=(8, "I"))
VHDX_REGION_TABLE_SIGNATURE, VHDX_TABLE_SIZE = b"regi", 64 << 10
VHDX_REGION_ENTRY = Fields("<", FileOffset=(16, "Q"), Length=(24, "I"), Required=(28, "I"))
VHDX_REGION_ENTRIES, VHDX_ENTRY_SIZE, VHDX_MAX_ENTRIES = 16, 32, 2047
VHDX_CHECKSUM = slice(4, 8)
"""Of a header and of a region table."""

# [MS-VHDX] 2.6.1: the metadata table, whose entries have the same size as those of the region table.
VHDX_METADATA_TABLE = Fields("<", EntryCount=(10, "H"))
VHDX_METADATA_SIGNATURE, VHDX_METADATA_ENTRIES = b"metadata", 32
VHDX_METADATA_ENTRY = Fields("<", Offset=(16, "I"), Length=(20, "I"), Flags=(24, "I"))
VHDX_IS_REQUIRED = 4
VHDX_GUID_SIZE = 16
"""Of the identifier that either kind of entry begins with."""

# [MS-VHDX] 2.6.2: metadata items.
VHDX_FILE_PARAMETERS = Fields("<", BlockSize=(0, "I"), Flags=(4, "I"))
VHDX_HAS_PARENT = 2
VHDX_VIRTUAL_DISK_SIZE = Fields("<", VirtualDiskSize=(0, "Q"))
VHDX_LOGICAL_SECTOR_SIZE = Fields("<", LogicalSectorSize=(0, "I"))
VHDX_ITEM_SIZE = 8
"""Of the largest of these three."""
VHDX_LOCATOR = Fields("<", KeyValueCount=(18, "H"))
VHDX_LOCATOR_TYPE, VHDX_LOCATOR_SIZE = slice(0, 16), 20
VHDX_LOCATOR_ENTRY = Fields("<", KeyOffset=(0, "I"), ValueOffset=(4, "I"), KeyLength=(8, "H"), ValueLength=(10, "H"))
VHDX_LOCATOR_ENTRY_SIZE = 12

# VDIPREHEADER and VDIHEADER1PLUS of VirtualBox's Storage/VDICore.h.
VDI_HEADER = Fields(
    "<",
    u32Signature=(64, "I"),
    u32Version=(68, "I"),
    u32Type=(76, "I"),
    offBlocks=(340, "I"),
    offData=(344, "I"),
    cbSector=(360, "I"),
    cbDisk=(368, "Q"),
    cbBlock=(376, "I"),
    cbBlockExtra=(380, "I"),
    cBlocks=(384, "I"),
)
VDI_SIGNATURE, VDI_HEADER_SIZE = 0xBEDA107F, 512
VDI_UUID_CREATE, VDI_UUID_LINKAGE, VDI_UUID_PARENT_MODIFY = slice(392, 408), slice(424, 440), slice(440, 456)
