"""What the commands `run` and `check` do, as functions that return typed reports."""
