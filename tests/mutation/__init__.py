"""Mutants of the service and of the template, and the tests that show that each is seen."""
