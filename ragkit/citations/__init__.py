"""Verify citations, link to them, and find them again after an edit."""
