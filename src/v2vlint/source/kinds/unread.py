"""Files that belong to a hypervisor's machine, or contain one, and cannot be read: recognised by name, with what to use instead."""

from __future__ import annotations

from v2vlint.source.kind import DefinitionKind

_UNREAD = (
    ("vma", "a backup of Proxmox VE (vzdump)", (".vma", ".vma.zst", ".vma.gz", ".vma.lzo"),
     "unpack it with 'vma extract', then give its qemu-server.conf or disks"),
    ("exp", "an export of Hyper-V 2008", (".exp",), "give its disks (.vhd), or import it into a newer Hyper-V and export it from there"),
    ("vmrs", "the saved state of a Hyper-V machine", (".vmrs", ".vmgs", ".vsv"), "give the .vmcx file beside it"),
    ("vmsd", "a list of snapshots of VMware's", (".vmsd", ".vmsn", ".vmss", ".vmem", ".nvram", ".vmxf"), "give the .vmx file beside it"),
    ("vbox-prev", "the earlier state of a VirtualBox machine", (".vbox-prev",), "give the .vbox file beside it"),
    ("xl", "a domain of Xen's xl", (".cfg",), "give its disks, or its libvirt XML ('virsh domxml-from-native xen-xl FILE')"),
    ("box", "a box of Vagrant's", (".box",), "unpack it with tar, then give its folder"),
    ("vagrant-xva", "a packed XenServer export", (".xva.gz", ".xva.zst"), "unpack it once, or export it without compression"),
    ("ova-packed", "a packed OVA", (".ova.gz", ".ova.zst", ".ova.xz"), "unpack it once"),
    ("vbk", "a backup of Veeam's", (".vbk", ".vib", ".vbm"), "restore the machine's disks, or export them as VMDK or VHDX"),
    ("pvm-archive", "a packed Parallels machine", (".pvmp", ".macvm"), "unpack it with Parallels Desktop, then give the .pvm folder"),
)  # fmt: skip

KINDS = tuple(DefinitionKind(name, title, suffixes, None, instead=instead) for name, title, suffixes, instead in _UNREAD)
