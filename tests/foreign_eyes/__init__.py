"""Foreign eyes: programs that others wrote read our books, and agree or refuse."""
