"""A store on servers of Redis's protocol: commands are forwarded, and replies pass as they are."""
