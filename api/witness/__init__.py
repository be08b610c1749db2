"""The witness: a process of its own, with its own key and its own memory, that knows nothing of our database."""
