"""The rules of the registry: no transport and no store in here."""
