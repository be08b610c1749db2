"""Counterparts: the other end of each adapter: it reads our wire, writes the channel's, and signs as the channel does.

A new one is one file here with a class like `Counterpart` (counterpart.py), and one line in the table of `__main__.py`.
"""
