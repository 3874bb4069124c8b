"""`make bench`: the benchmarks that run by themselves; each is also a module with --help."""

from __future__ import annotations

from benchmarks import engine

if __name__ == "__main__":
    engine.main()
