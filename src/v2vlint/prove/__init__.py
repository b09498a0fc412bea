"""Proof: boot the guest copy-on-write under QEMU and watch where it gets to."""
