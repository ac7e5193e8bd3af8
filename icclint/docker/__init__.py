"""What is known of Docker engines: their options, their chains, the shapes of their rules."""
