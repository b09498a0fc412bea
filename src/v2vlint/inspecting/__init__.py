"""What a machine is: everything about a guest that can be told from its disks, without judging it."""
