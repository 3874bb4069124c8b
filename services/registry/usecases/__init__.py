"""What the registry can be asked to do: one class per area, no transport."""
