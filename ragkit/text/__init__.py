"""Split a text into lines, paragraphs, sentences and words, each with its span."""
