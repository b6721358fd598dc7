"""Questions that a passage nearly answers, made from real ones. Pure; the same for the same seed.

Each maker takes a real question, the passage that answers it and what else the article says,
and returns other wordings that the passage does not answer, or none.
"""

from training.misses.makers import MAKERS, Asked, Miss, make_misses

__all__ = ["MAKERS", "Asked", "Miss", "make_misses"]
