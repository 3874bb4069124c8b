"""How fast the gateway's pages are, on a small market and on one a hundred times as large."""
