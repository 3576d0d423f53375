"""Tests of what is asked and what is generated from the answers."""
