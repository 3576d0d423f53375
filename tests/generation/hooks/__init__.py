"""Tests of the hooks, on a template of a few files."""
