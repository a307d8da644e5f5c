"""The Mage project; its folder is the package that Mage puts on the path."""
