"""A chat server: `chat` talks with people, in many workers, and `chat-rooms` knows who is where, in one."""
