"""The tests; docs/testing.md shows how to write them."""
