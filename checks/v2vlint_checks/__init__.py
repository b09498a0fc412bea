"""The first-party rule pack: one file per rule, grouped in folders. See CONTRIBUTING.md to add one."""
