"""What lies between a disk and its filesystems: partition tables, LVM, MD, dynamic disks."""
