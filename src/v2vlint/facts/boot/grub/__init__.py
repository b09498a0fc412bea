"""GRUB 2 and GRUB legacy: their configuration, evaluated as they would execute it."""
