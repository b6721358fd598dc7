"""The verbatim gate: whether what a text quotes really stands in the corpus."""
