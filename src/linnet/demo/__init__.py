"""The whole story on the drawn world, small enough for a laptop."""
