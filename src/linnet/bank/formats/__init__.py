"""Files and folders that other programs read questions from, one module each."""
