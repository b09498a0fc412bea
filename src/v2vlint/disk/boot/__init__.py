"""Boot code: the sectors and images that a BIOS runs, as they lie on the disk."""
