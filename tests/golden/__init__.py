"""Files as third parties get them, byte for byte; `python -m tests.golden` writes them anew."""
