"""Training of chat models: all questions of an image are asked, and answered, in one forward."""
