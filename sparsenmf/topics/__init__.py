"""From texts to topics, and what can be said about them."""
