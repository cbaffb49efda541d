"""What a dataset holds and what it gives away, as plain tables: nothing is drawn here."""
