"""Tools of the hypervisor the guest comes from."""
