"""From image files to filesystems: containers, partitions, LVM, MD and LUKS. Read-only, and the only package that imports dissect."""
