"""Which files are the disks of a guest, in which order, and its definition if there is one."""
