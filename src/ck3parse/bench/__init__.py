"""Measuring ways to parse beside one another: what `ck3parse bench` and the benchmarks share."""
