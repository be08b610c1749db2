"""Routes: one file per noun with its requests, its answers, its POST and its GET."""
