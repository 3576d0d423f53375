"""The tests of the template: its harness, what it generates, and the generated services."""
