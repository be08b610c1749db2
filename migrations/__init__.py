"""Numbered SQL, forward only: control/ is shared by all books, book/ is what each book has; schema.sql is the sum."""
