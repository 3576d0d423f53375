"""The test kit: fixtures and helpers; docs/testing.md shows an example of each."""
