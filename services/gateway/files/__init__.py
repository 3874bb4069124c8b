"""Files in and out: uploads on their way to the registry, templates, exports and marked copies."""
