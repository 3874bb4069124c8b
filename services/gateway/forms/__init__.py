"""Between what people type into forms and the messages of the contracts."""
