"""What the access matrix is made of: a market with something to hide, its callers, its cases."""
