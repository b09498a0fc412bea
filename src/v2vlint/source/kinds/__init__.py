"""One module per kind of machine definition. Each has ``KINDS``, its :class:`~v2vlint.source.kind.DefinitionKind` objects."""
