"""Everything that is trained for comparison: one question a file, none knows another."""
