"""Encrypted volumes: LUKS and BitLocker, and the ciphers that they use."""
