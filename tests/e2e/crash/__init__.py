"""What the crash tests share: a market on the embedded stack, kills, and what must then hold."""
