"""Tests of running services, over HTTP."""
