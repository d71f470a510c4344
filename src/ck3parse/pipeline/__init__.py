"""The client: plan a run, send batches to workers, collect results, resend what was lost."""
