"""Postings as rows of files: read and written by the command line and by the pages alike.

Nothing here speaks to a service; whoever reads a file brings the taxonomy.
"""
