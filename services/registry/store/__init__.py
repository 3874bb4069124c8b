"""Where the registry keeps its documents."""
