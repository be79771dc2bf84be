"""What is known of a person: their baseline, and those that are kept by name."""
