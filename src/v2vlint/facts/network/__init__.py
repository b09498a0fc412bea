"""Network cards, their names, and the configuration that each network manager applies to them."""
