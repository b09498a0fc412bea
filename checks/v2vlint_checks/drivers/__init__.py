"""Kernels, modules and initramfs images against the target's controllers and network cards."""
