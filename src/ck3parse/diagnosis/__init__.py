"""What `ck3parse diagnose` looks at: steps A to D, and what is wrong with a setup in words."""
