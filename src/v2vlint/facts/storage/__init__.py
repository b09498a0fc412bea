"""Block devices as the guest's configuration names them: fstab, crypttab, LVM, MD, multipath."""
