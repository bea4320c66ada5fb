"""Workloads that tests and benchmarks put on a source."""
