"""Matching: what a channel or a bank reports beside what we have booked, and what of it does not agree; pure."""
