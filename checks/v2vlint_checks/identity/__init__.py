"""What must differ between copies of one image."""
