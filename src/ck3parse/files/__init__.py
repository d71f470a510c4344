"""Find script files, read them, and pass them to workers."""
