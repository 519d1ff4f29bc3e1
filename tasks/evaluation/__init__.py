"""How right a lake is: its words, turns and speakers against references."""
