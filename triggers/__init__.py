"""Capture: outbox tables and triggers inside a source database.

A library of its own: it takes SQLAlchemy engines and table specifications, and knows neither the
configuration file nor any target.
"""
