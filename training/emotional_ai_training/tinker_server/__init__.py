"""A local server that speaks the Tinker API."""
