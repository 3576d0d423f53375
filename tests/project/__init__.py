"""Tests of what people do with a project: its suite, its installation, its updates."""
