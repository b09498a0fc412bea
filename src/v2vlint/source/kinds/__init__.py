"""One module per kind of machine definition. Each has ``KINDS``, the :class:`~v2vlint.source.kind.Kind` objects that it stands for."""
