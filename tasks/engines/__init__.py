"""Engines behind three small protocols, one file per library wrapped; no vendor type comes out."""
