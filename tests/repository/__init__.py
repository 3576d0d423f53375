"""Tests of this repository: its documents, scripts, pictures and benchmarks."""
