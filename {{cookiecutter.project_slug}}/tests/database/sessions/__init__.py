"""The guarantees of the session, with a test for each; docs/sessions.md gives the reasons."""
