"""Photos in, one lineage each out, which ends at the rank it is sure of."""
