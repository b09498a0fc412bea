"""What starts the guest: firmware, boot loaders, their entries, kernel command lines, consoles."""
