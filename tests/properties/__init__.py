"""Laws that hold for every input that hypothesis can think of, and a model that the whole ledger has to agree with."""
