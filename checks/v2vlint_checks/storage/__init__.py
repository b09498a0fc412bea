"""How the guest finds its disks: device names, LVM, MD, LUKS, multipath."""
