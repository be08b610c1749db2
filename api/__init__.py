"""The HTTP interface and the command line: requests become commands, views become answers."""
