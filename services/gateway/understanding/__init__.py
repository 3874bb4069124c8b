"""What somebody means who writes in own words, English or Chinese, what is free or needed."""
