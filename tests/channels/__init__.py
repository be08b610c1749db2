"""Channels: translators against recordings, the dispatcher against a real counterpart, the counterpart itself."""
