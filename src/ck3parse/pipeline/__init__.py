"""From paths to results: walk, batch, send, collect, and send again what was lost."""
