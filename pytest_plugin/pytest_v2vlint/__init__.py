"""The pytest plugin of v2vlint."""
