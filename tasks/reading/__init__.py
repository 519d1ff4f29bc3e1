"""What people read of a lake: how it stands, answers, texts, summaries."""
