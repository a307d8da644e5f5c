"""The page of a flow: what its lake holds and proves, in one HTML file."""
