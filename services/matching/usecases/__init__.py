"""What matching does for its callers, without transport."""
