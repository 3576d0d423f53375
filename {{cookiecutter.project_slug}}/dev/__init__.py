"""Programs for developing this service, which are not installed with it."""
