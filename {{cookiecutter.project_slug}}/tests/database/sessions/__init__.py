"""What the session guarantees, a test for each; docs/sessions.md says why."""
