"""Describe a machine: everything about a guest that its disks show, without judging it."""
