"""Kinds of model, one module per kind with `matches(folder)` and `open(model, **options)`."""
