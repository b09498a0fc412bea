"""Boot loaders, kernel command lines, the EFI system partition."""
