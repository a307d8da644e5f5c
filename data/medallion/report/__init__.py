"""The page of a flow: the content and the checks of its lake, in one HTML file."""
