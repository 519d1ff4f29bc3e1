"""From facts and links to the tables that people query."""
