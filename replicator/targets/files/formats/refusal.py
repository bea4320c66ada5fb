"""Why a row cannot be written."""

from __future__ import annotations


class Unfit(Exception):
    """A row that the format cannot hold; the text names the rule and never holds a value."""
