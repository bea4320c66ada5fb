"""Sealing, reading and delivering, with no knowledge of any driver or target."""
