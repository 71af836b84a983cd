"""Scripts in Lua: the library lupa runs them, the files in `lua/` are their world."""
