"""What must hold when connections break, processes die and the database is gone."""
