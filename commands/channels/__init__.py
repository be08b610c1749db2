"""Channels: the companies that move money for us, each behind one pure translator; one dispatcher owns the sockets."""
