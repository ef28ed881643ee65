"""Photos by id and address: fetching, a store with the fate of each, and what can be used of a folder."""
