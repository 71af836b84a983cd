"""A chat server: `chat` talks with people, in many workers; `chat-rooms` keeps the rooms, in one."""
