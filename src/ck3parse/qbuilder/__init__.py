"""qbuilder's build on the pipeline: its queue in, its rows out, many items to a transaction."""
