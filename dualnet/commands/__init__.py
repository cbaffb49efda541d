"""The commands, one function each: one call of the library, then where the result lies."""
