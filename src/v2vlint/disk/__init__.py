"""From image files to filesystems: containers, partitions, LVM, MD, LUKS. Read-only; the only package that knows dissect."""
