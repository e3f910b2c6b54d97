"""The venue: its words and its rules about them."""
