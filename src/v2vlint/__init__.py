"""v2vlint says what will break when a virtual machine lands on other virtual hardware."""

__version__ = "0.1.0"
