"""Everything behind `ck3parse check`: the rules, running them, the cache and output formats."""
