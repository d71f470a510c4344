"""Measurements that `ck3parse bench` and the benchmarks share."""
