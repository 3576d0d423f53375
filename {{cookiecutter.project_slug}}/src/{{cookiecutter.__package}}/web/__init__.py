"""What every route of the service shares."""
