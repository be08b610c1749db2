"""Journeys: whole stories over HTTP, told to the processes that run in production."""
