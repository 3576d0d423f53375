"""Tests of what people do with a project: run its suite, install it, update it."""
