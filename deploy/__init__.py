"""How Spareline is put on machines: the embedded stack for one, containers for more."""
