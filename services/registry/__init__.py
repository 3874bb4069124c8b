"""The registry service: organizations, taxonomy, offers and demands, the capacity ledger."""
