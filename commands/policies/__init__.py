"""Policies: what the house decides by rule: products, routing, risk, fees. Pure functions of values."""
