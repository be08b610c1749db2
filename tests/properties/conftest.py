"""How hypothesis looks for counterexamples here."""

from hypothesis import settings

# A machine that others share is slow at times, and slowness is no counterexample.
settings.register_profile("ledger", deadline=None, print_blob=True)
settings.load_profile("ledger")
