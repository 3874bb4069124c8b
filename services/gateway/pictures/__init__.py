"""Pictures that pages draw as SVG: where things lie, not how they look (that is the style's)."""
