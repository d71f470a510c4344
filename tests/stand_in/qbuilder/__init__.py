"""Stands in for qbuilder in tests: the parts of it that a build uses, with the same names."""
