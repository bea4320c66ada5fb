"""Benchmarks against real servers: `python -m tests.benchmarks` (docs/benchmarks.md)."""
