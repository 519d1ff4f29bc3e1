"""What people want to know of the speakers of a lake, and what they decide about them."""
