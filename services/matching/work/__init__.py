"""Parts of a round that are solved by matching workers elsewhere, over the work queue."""
