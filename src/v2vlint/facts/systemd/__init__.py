"""What systemd makes of the guest's units, drop-ins, masks and fstab when it boots."""
