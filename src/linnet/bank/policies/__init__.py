"""Rules that choose the wrong options of a question, one module each."""
