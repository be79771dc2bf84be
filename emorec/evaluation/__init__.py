"""Who is predicted by whom (`splits`), how well (`scores`), and the evidence of it."""
