"""What matching keeps in its database: one module per kind of document."""
