"""Drills of background jobs that run inside a generated project, beside its own tests."""
