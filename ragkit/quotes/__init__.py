"""The verbatim gate: check whether the documents contain what a text quotes."""
