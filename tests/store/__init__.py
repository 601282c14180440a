"""The stores, below the guarantees: every verb, id, byte of the file, lock, fault and mode."""
