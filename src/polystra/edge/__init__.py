"""Everything that touches the world: venue, price feeds, storage, recordings."""
