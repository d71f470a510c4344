"""Everything behind `ck3parse diagnose`: its steps A to D, and the findings of each."""
