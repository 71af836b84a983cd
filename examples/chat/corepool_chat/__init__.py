"""A chat server: `chat` talks with people, in many workers; `order` brings what they do into one order."""
