"""How systemd interprets the guest's units, drop-ins, masks and fstab at boot."""
