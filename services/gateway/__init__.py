"""The web gateway: pages for SMEs over the registry and the matching service."""
