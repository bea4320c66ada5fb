"""What becomes of a delivery when the columns of its source tables change."""
