"""The read side: views that are folded from the log, and the questions that they answer."""
