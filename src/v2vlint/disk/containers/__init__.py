"""Disk image formats: from the bytes of an image file to the virtual disk inside it."""
