"""The index of a playset: who defines a name, who uses it, and who wins."""
