"""NOUNS: what is kept and how: records, errors, schemas, the lake, the catalog, text formats.

Imports point one way, flows → tasks → storage; nothing of ours stands below this package.
"""
