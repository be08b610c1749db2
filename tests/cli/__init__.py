"""The command line, each word run as a process of its own."""
