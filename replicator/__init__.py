"""Delivery: seals captured changes into batches and hands them to targets."""
