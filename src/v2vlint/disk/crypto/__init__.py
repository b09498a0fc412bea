"""Encrypted volumes, LUKS and BitLocker, and their ciphers."""
