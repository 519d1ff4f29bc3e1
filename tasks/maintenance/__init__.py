"""Keep a lake in shape: few large files instead of many small ones, and nothing that nobody reads."""
