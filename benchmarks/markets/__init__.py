"""Realistic markets of any size, made at array level, for benchmarks of the engine."""
