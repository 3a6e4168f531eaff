"""Chat models as scorers: families, prompts, and the ways to score all questions of an image."""
