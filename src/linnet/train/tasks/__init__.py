"""One module per kind of training: its recipe, a preview and the training itself."""
