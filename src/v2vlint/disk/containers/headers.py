"""The fixed headers of VHD and VDI files, field by field under the names of their sources."""

import struct
from typing import NamedTuple


class VhdFooter(NamedTuple):
    """``Hard Disk Footer Format`` of Microsoft's VHD specification 1.0: 512 bytes, big-endian, sizes in bytes."""

    cookie: bytes
    features: int
    file_format_version: int
    data_offset: int
    time_stamp: int
    creator_application: bytes
    creator_version: int
    creator_host_os: int
    original_size: int
    current_size: int
    disk_geometry: int
    disk_type: int
    checksum: int
    unique_id: bytes
    saved_state: int

    @classmethod
    def parse(cls, data: bytes) -> "VhdFooter":
        """The footer in ``data``; struct.error when it is too short."""
        return cls._make(_VHD_FOOTER.unpack_from(data))


_VHD_FOOTER = struct.Struct(">8sIIQI4sIIQQIII16sB")
VHD_FOOTER_CHECKSUM = 64
"""The offset of ``checksum``, which does not cover itself."""


class VhdDynamicHeader(NamedTuple):
    """``Dynamic Disk Header Format`` of the VHD specification, up to the parent's name: big-endian, sizes in bytes."""

    cookie: bytes
    data_offset: int
    table_offset: int
    header_version: int
    max_table_entries: int
    block_size: int
    checksum: int

    @classmethod
    def parse(cls, data: bytes) -> "VhdDynamicHeader":
        """The header in ``data``; struct.error when it is too short."""
        return cls._make(_VHD_DYNAMIC.unpack_from(data))


_VHD_DYNAMIC = struct.Struct(">8sQQIIII")
VHD_DYNAMIC_CHECKSUM = 36
"""The offset of ``checksum``, which does not cover itself."""


class VdiHeader(NamedTuple):
    """``VDIPREHEADER`` and ``VDIHEADER1PLUS`` of VirtualBox's ``Storage/VDICore.h``: little-endian, sizes and offsets in bytes.

    The comment and the legacy geometry, except for its sector size, are left out.
    """

    signature: bytes
    version: int
    header_size: int
    type: int
    blocks_offset: int
    data_offset: int
    sector_size: int
    disk_size: int
    block_size: int
    block_extra: int
    block_count: int
    uuid_linkage: bytes
    uuid_parent_modify: bytes

    @classmethod
    def parse(cls, data: bytes) -> "VdiHeader":
        """The header in ``data``; struct.error when it is too short."""
        return cls._make(_VDI.unpack_from(data))


# szFileInfo and, later, fFlags with szComment, cCylinders to cSectors, u32Dummy, and cBlocksAllocated to uuidModify are skipped.
_VDI = struct.Struct("<64x4sIII260xII12xI4xQIII36x16s16s")
