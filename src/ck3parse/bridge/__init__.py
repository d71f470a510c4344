"""What is behind `ck3parse.qbuilder_bridge`: futures, the thread that answers them, the pool."""
