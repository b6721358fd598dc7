"""Questions that a passage nearly answers, derived from real ones. Pure; a seed decides.

Each maker takes a real question, the passage that answers it and what else the article says,
and returns other wordings that the passage does not answer, or none.
"""

from ragkit.evaluation.near_misses.makers import MAKERS, Asked, Miss, make_misses

__all__ = ["MAKERS", "Asked", "Miss", "make_misses"]
