"""Installed kernels, their modules, and the CPU that the guest's programs need."""
