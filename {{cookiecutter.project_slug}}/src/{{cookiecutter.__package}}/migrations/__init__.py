"""The schema's history; `versions/` is yours, the rest belongs to the kit."""
