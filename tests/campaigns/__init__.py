"""Long campaigns: what the tests do in small, for as long as one wants; `./run long` runs them."""
