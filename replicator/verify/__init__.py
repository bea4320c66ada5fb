"""Comparing what targets hold with what they should hold: what `replicator verify` does."""
