"""The generated service beside hand-written floors that answer with the same representation."""
