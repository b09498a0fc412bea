"""The virtual machine's definition."""
