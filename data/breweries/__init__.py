"""All that there is to say about breweries; data/medallion does the rest."""
