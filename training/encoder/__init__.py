"""Trains the token encoder: all-MiniLM-L6-v2 with a projection, for late interaction."""
