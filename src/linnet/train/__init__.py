"""Training: losses on node scores, trainers and recipes."""
