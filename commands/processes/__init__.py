"""Processes: what an event sets in motion and what falls due, and the worker that carries it out.

channel_calls.py   the work list: read from the log exactly once, claimed by one worker at a time
next_steps.py      what each answer of a channel leads to; pure
timers.py          what happens because time has passed
worker.py          runs all of it for every book
"""
