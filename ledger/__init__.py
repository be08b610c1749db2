"""The books: money, journal, events, posting rules and the event store. Imports none of the other packages."""
