"""Measurements of the running market."""
