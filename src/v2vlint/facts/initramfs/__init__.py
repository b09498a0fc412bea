"""Initramfs images, and the configuration of the programs that build them."""
