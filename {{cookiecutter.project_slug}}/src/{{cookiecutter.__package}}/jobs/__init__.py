"""Background jobs: work that is done after the response."""
