"""Processes: the worker, the work list and callbacks, with a real PostgreSQL and the simulator as a process."""
