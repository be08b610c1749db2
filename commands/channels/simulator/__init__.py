"""The channel simulator: the counterpart of the card_simulator adapter, a process of its own that keeps its own books.

__main__.py    its command line
app.py         its HTTP interface
conduct.py     the tokens that decide an outcome, and the ways to misbehave
faults.py      the fault plan: when it misbehaves
books.py       what it has charged and given back, once for each id, and the messages it owes; durable
keeper.py      the one thread that works on the books
callbacks.py   the signed messages it sends, until they are answered with 2xx
"""
