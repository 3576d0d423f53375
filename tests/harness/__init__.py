"""Support for the tests: variants, projects, environments, servers and the report of a run."""
