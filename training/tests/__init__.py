"""Worked by hand: what each part of the training makes of a small example."""
