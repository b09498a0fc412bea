"""Builds guest images without root: partition tables, LVM, filesystems, boot loaders and small binary stubs, from text recipes."""
