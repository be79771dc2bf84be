"""Who is judged by whom (`splits`), how well (`scores`), and the evidence of it."""
