"""The generated service compared with hand-written floors that send the same representation."""
