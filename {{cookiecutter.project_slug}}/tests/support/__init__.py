"""The test kit: fixtures and helpers; docs/testing.md has an example for each."""
