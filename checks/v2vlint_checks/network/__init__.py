"""Network identity: interface names, MAC addresses, addresses."""
