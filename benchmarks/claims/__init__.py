"""Minimal pairs of claims: a sentence that its passage supports, and one put together wrongly."""
