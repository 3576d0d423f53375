"""Copied into the tests of a generated project by isolation.py, and run there."""
