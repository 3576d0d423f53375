"""What the tests stand on: variants, projects, environments, servers and the report of a run."""
