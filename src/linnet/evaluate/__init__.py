"""Run a scorer over a bank, decode its answers into lineages and measure them."""
