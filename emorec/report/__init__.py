"""A result as others read it: table, CSV, JSON, figure, annotated video."""
