"""Where in a model the tree is readable, and where it is lost."""
