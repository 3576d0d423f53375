"""The parts that all routes of the service share."""
