"""The commands, by what they are about. Each is a function of the data, or of the session, and its arguments."""
