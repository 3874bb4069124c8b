"""The market as pure data and functions, from the book to an assignment. No I/O."""
