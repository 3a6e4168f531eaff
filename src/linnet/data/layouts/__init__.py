"""Folders of photos as data sets publish them, one module per layout with a `read(root)`."""
