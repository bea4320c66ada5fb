"""Delivery: seals captured changes into batches and hands them to targets."""

__version__ = "0.1.0"
