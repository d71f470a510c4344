"""The implementation of `ck3parse.qbuilder_bridge`: engines, futures, the dispatcher, the pool."""
