"""How many components: many fits, and what they say together."""
