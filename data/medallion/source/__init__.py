"""The way in: asking an API politely, for all that it holds, with a proof of it."""
