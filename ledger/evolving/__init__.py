"""Evolving: what each event of a payment's stream does to the payment, one file per noun."""
