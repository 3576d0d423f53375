"""Programs for developing this service; nothing of this is installed with it."""
