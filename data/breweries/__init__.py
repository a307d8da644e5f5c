"""Everything about breweries; data/medallion does the rest."""
