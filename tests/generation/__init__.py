"""Tests of the prompts and of the files that are generated from the answers."""
