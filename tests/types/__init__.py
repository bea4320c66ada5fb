"""Values arrive unchanged: every column type of every engine, to every engine."""
