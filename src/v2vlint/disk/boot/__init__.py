"""Boot code: the sectors and images that a BIOS runs, read from the disk."""
