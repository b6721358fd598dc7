"""What a text is made of: spans, lines, sentences and words."""
