"""GRUB 2 and GRUB legacy: their configuration as they would execute it."""
