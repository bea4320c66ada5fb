"""The first copy of tables: what `replicator snapshot` asks for, and what deliveries do for it."""
