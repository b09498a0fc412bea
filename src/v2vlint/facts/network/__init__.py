"""Network cards, their names, and what each network manager configures for them."""
