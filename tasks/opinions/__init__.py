"""Second opinions: where two recipes of one stage differ, how much, and which of them is published."""
